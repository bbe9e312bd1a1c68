"""The reference pages, each made from the part of the code that it describes."""

from __future__ import annotations

from documentation.reference import api, commands, errors, events, job_types, settings
from perdure.app import create_app
from perdure.bootstrap import Platform
from perdure.core.waiting import FinishedJobs


def reference_pages(platform: Platform) -> dict[str, str]:
    """The pages by file name. Raises ``LookupError`` where something has no description."""
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=True)
    return {
        "api.md": api.render(app.openapi()),
        "commands.md": commands.render(),
        "errors.md": errors.render(),
        "events.md": events.render(),
        "job-types.md": job_types.render(),
        "settings.md": settings.render(),
    }
