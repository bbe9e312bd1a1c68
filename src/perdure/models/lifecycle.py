"""The one table of states: which there are, how a job moves between them, and what each move is called.

Everything else that knows about states reads it here: the aggregate's legality check, the CHECK constraints of the
table, the claim's WHERE, the picture in docs/life-of-a-job.md, and the rules of the state-machine test.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class JobStatus(StrEnum):
    """Where a job stands. The first four are live, the last three final for the run."""

    SCHEDULED = "SCHEDULED"
    """Not due yet: ``run_at`` lies ahead."""
    QUEUED = "QUEUED"
    """Ready: the next worker with a free slot takes it."""
    RUNNING = "RUNNING"
    """An attempt is under way, under the lease of one worker."""
    RETRYING = "RETRYING"
    """An attempt failed; the next one waits for its back-off."""
    SUCCEEDED = "SUCCEEDED"
    """Done; ``result`` holds what the processor returned."""
    FAILED = "FAILED"
    """No attempt is left, or none would help; ``error`` says how the last one ended."""
    CANCELLED = "CANCELLED"
    """Stopped because somebody asked for it."""


class TimelineEvent(StrEnum):
    """What a job's timeline can say. Each transition has one name, whoever causes it."""

    CREATED = "CREATED"
    """The job was committed."""
    STARTED = "STARTED"
    """A worker took it: an attempt began."""
    RETRY = "RETRY"
    """The attempt failed; another follows."""
    SNOOZED = "SNOOZED"
    """The processor asked to be run again later; the attempt is given back."""
    RELEASED = "RELEASED"
    """The worker shut down and gave the job back unharmed, and the attempt with it."""
    SUCCESS = "SUCCESS"
    """The attempt succeeded: the job has."""
    FAILURE = "FAILURE"
    """The attempt failed and no other follows, or it was too late for one: the job has failed."""
    CANCELLED = "CANCELLED"
    """It was stopped on request."""
    RESTARTED = "RESTARTED"
    """A new run of a finished job was opened."""


_S, _E = JobStatus, TimelineEvent

TRANSITIONS = MappingProxyType(
    {
        (_S.QUEUED, _S.RUNNING): _E.STARTED,
        (_S.RUNNING, _S.SUCCEEDED): _E.SUCCESS,
        (_S.RUNNING, _S.FAILED): _E.FAILURE,
        (_S.RUNNING, _S.RETRYING): _E.RETRY,
        (_S.RUNNING, _S.SCHEDULED): _E.SNOOZED,
        (_S.RUNNING, _S.QUEUED): _E.RELEASED,
        (_S.RUNNING, _S.CANCELLED): _E.CANCELLED,
        (_S.SCHEDULED, _S.FAILED): _E.FAILURE,
        (_S.QUEUED, _S.FAILED): _E.FAILURE,
        (_S.RETRYING, _S.FAILED): _E.FAILURE,
        (_S.SCHEDULED, _S.CANCELLED): _E.CANCELLED,
        (_S.QUEUED, _S.CANCELLED): _E.CANCELLED,
        (_S.RETRYING, _S.CANCELLED): _E.CANCELLED,
        (_S.SUCCEEDED, _S.QUEUED): _E.RESTARTED,
        (_S.FAILED, _S.QUEUED): _E.RESTARTED,
        (_S.CANCELLED, _S.QUEUED): _E.RESTARTED,
    }
)
"""Every move that is recorded, by its ends. Becoming due (below) is not recorded: the row already says when."""

BECOMES_DUE = frozenset({JobStatus.SCHEDULED, JobStatus.RETRYING})
"""States from which the promoter moves a job to QUEUED once ``run_at`` has come."""

FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})
"""States that end a run; only a restart (a new run) leads out."""

LIVE = frozenset(JobStatus) - FINAL
"""States of which something is still to come."""

WAITING = frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.RETRYING})
"""Live states in which no attempt is under way: a cancel takes effect at once, and so does expiry."""
