"""Jobs as events find them, and messages of them, for everything on the notification side."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts
from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.snapshot import snapshot_of
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.retry import RetryPolicy

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
JOB_ID = UUID("01900000-0000-7000-8000-000000000001")


def ended_job(**changes: Any) -> Job:
    """A job that has just succeeded, unless ``changes`` say otherwise."""
    fields: dict[str, Any] = {
        "job_id": JOB_ID,
        "job_type": "csv.profile",
        "payload": {},
        "queue": "default",
        "priority": 0,
        "status": JobStatus.SUCCEEDED,
        "run_at": NOW,
        "max_attempts": 4,
        "timeout_seconds": 60,
        "retry": RetryPolicy(),
        "created_at": NOW - timedelta(minutes=5),
        "started_at": NOW - timedelta(seconds=3.2),
        "finished_at": NOW,
        "attempt": 2,
        "context": {"user_id": "u-17", "email": "reader@example.com"},
        "notifications": {"email": {}},
    }
    return Job(**fields | changes)


def a_message(**changes: Any) -> Message:
    """What a provider is given of such a job, unless ``changes`` say otherwise."""
    snapshot = snapshot_of(ended_job())
    fields: dict[str, Any] = {
        "delivery_id": UUID("01900000-0000-7000-8000-0000000000d1"),
        "job_id": JOB_ID,
        "job_type": "csv.profile",
        "event": JobEvent.SUCCESS,
        "recipient": "reader@example.com",
        "subject": "✓ csv.profile succeeded",
        "text": "It went well.\n",
        "html": "<p>It went well.</p>",
        "facts": JobFacts.of(snapshot),
        "snapshot": snapshot,
        "url": None,
        "occurred_at": NOW,
    }
    return Message(**fields | changes)
