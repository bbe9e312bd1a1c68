"""What a provider is given, for the tests of a package: no server, no database and no job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts
from perdure.core.notifications.providers.base import Message

_JOB_ID = UUID("01900000-0000-7000-8000-000000000001")
_SNAPSHOT: dict[str, Any] = {
    "job_id": str(_JOB_ID),
    "job_type": "report.build",
    "queue": "default",
    "run": 1,
    "attempt": 1,
    "max_attempts": 4,
    "created_at": "2030-01-31T11:59:00+00:00",
    "started_at": "2030-01-31T11:59:30+00:00",
    "finished_at": "2030-01-31T12:00:00+00:00",
    "user_id": None,
    "error": None,
    "result": '{\n  "pages": 12\n}',
}


def example_message(recipient: str, **changes: Any) -> Message:
    """A message to ``recipient`` about a job that succeeded; ``changes`` are fields of ``Message``."""
    message = Message(
        delivery_id=UUID("01900000-0000-7000-8000-0000000000d1"),
        job_id=_JOB_ID,
        job_type="report.build",
        event=JobEvent.SUCCESS,
        recipient=recipient,
        subject="✓ report.build succeeded",
        text="report.build succeeded.\n",
        html="<p>report.build succeeded.</p>",
        facts=JobFacts.of(_SNAPSHOT),
        snapshot=_SNAPSHOT,
        url=None,
        occurred_at=datetime(2030, 1, 31, 12, 0, tzinfo=UTC),
    )
    return replace(message, **changes)
