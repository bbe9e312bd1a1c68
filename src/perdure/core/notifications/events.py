"""The lifecycle events that people and programs can be told about."""

from __future__ import annotations

from enum import Enum

from perdure.models.lifecycle import JobStatus


class JobEvent(Enum):
    """What happened to a job, as its notifications name it (``"on": ["SUCCESS", "FAILURE"]``)."""

    SUCCESS = "SUCCESS"
    """The job succeeded."""
    FAILURE = "FAILURE"
    """The job failed: no attempt is left. Told once, never for a single failed attempt."""
    CANCELLED = "CANCELLED"
    """The job was cancelled."""

    @classmethod
    def of(cls, status: JobStatus) -> JobEvent | None:
        """The event emitted when a job reaches ``status``; None for a state that does not end it."""
        return _EMITTED.get(status)


_EMITTED = {
    JobStatus.SUCCEEDED: JobEvent.SUCCESS,
    JobStatus.FAILED: JobEvent.FAILURE,
    JobStatus.CANCELLED: JobEvent.CANCELLED,
}

TOLD_BY_DEFAULT = (JobEvent.SUCCESS, JobEvent.FAILURE)
"""What ``on`` means when it is left out; these leave a SKIPPED row even when nobody is to be told."""
