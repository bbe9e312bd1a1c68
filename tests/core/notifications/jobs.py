"""Jobs as events find them, for everything on the notification side."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

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
