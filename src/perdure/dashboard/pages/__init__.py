"""The pages, a module each. Whoever adds one names its router here."""

from __future__ import annotations

from perdure.dashboard.pages import (
    changes,
    job,
    job_actions,
    jobs,
    overview,
    preferences,
    queues,
    session,
    static_files,
    workers,
)

ROUTERS = (
    static_files.router,
    session.router,
    preferences.router,
    changes.router,
    overview.router,
    job_actions.router,
    jobs.router,
    job.router,
    queues.router,
    workers.router,
)
