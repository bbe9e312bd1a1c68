"""Jobs that never were, as events would find them: what templates are tried on, and what a preview shows.

They are snapshots, as deliveries keep them. ``sample`` is a job like any other. ``extremes`` are those that break
templates: of one nothing is known that need not be, of the other every value is as large as it may be and would be
taken for markup by whoever does not escape it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.snapshot import snapshot_of
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.retry import RetryPolicy

SAMPLE_ID = UUID("01900000-0000-7000-8000-000000000000")
SAMPLE_TYPE = "report.build"
MARKUP = "<perdure-markup>"
"""What the largest values are made of; a message that holds it as a tag does not escape what users supply."""

_ENDED = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
_MORE_THAN_IS_KEPT = 5_000
_STATUS = {
    JobEvent.SUCCESS: JobStatus.SUCCEEDED,
    JobEvent.FAILURE: JobStatus.FAILED,
    JobEvent.CANCELLED: JobStatus.CANCELLED,
}
_RESULT = {"pages": 12, "rows": 18_231, "file_id": "01900000-0000-7000-8000-0000000000f1"}
_ERROR = JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "line 17 has 5 columns, where the header has 6")


def sample(event: JobEvent, job_type: str = SAMPLE_TYPE) -> dict[str, Any]:
    """A job of ``job_type`` that came to ``event``."""
    return snapshot_of(_job(event, job_type))


def extremes(event: JobEvent, job_type: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job of which the least is known, and the one with the most to say."""
    least = _job(event, job_type, started_at=None, finished_at=None, context=None, result=None, error=None)
    markup = (MARKUP + "&\"'") * _MORE_THAN_IS_KEPT
    most = _job(
        event,
        job_type,
        queue=markup,
        run=1_000_000,
        context={"user_id": markup},
        result=None if event is JobEvent.FAILURE else markup,
        error=None if event is JobEvent.SUCCESS else JobError(ErrorReason.TIMED_OUT, markup, markup),
    )
    return snapshot_of(least), snapshot_of(most)


def _job(event: JobEvent, job_type: str, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "job_id": SAMPLE_ID,
        "job_type": job_type,
        "payload": {},
        "queue": "default",
        "priority": 0,
        "status": _STATUS[event],
        "run_at": _ENDED,
        "max_attempts": 4,
        "timeout_seconds": 60,
        "retry": RetryPolicy(),
        "created_at": _ENDED - timedelta(minutes=5),
        "started_at": _ENDED - timedelta(seconds=3.2),
        "finished_at": _ENDED,
        "attempt": 4 if event is JobEvent.FAILURE else 1,
        "context": {"user_id": "ada"},
        "notifications": None,
        "result": _RESULT if event is JobEvent.SUCCESS else None,
        "error": _ERROR if event is JobEvent.FAILURE else None,
    }
    return Job(**fields | changes)
