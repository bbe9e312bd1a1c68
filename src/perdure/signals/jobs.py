"""What happened to jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from perdure.signals.hub import Signal


@dataclass(frozen=True, slots=True)
class JobsSubmitted(Signal):
    """New jobs, after their commit; ``job_types`` and ``queues`` hold those of each, in the same order."""

    job_ids: Sequence[UUID]
    job_types: tuple[str, ...]
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobsClaimed(Signal):
    """A worker took jobs; ``job_types`` holds the type of each, in the same order."""

    worker_id: UUID
    job_ids: tuple[UUID, ...]
    job_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptError:
    """How a failed attempt ended: the reason as stored with the job, and what was raised, in its own words."""

    reason: str
    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTransitioned(Signal):
    """A recorded step of a job, after its commit. Made where somebody listens; who counts hears ``StepsRecorded``.

    When it ended an attempt, ``worker_id`` held it, it had waited ``wait_seconds`` from its due time to its start and
    taken ``duration_seconds``; otherwise they are None. ``error`` is set for a failed attempt, ``retry_seconds`` when
    another follows.
    """

    job_id: UUID
    job_type: str
    queue: str
    event: str
    status: str
    run: int
    attempt: int
    max_attempts: int
    worker_id: UUID | None = None
    wait_seconds: float | None = None
    duration_seconds: float | None = None
    error: AttemptError | None = None
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(JobTransitioned):
    """A step that a failed attempt led to: ``error`` is set."""


@dataclass(frozen=True, slots=True)
class StepsRecorded(Signal):
    """So many recorded steps of one kind, of jobs of one type in one queue, after the commit that they share.

    All of them once more, for whoever counts. ``attempts`` are those that the steps ended: for how many seconds each
    had waited from its due time to its start, and how many it took.
    """

    queue: str
    job_type: str
    event: str
    count: int
    attempts: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class TransitionRefused(Signal):
    """Somebody whose claim is no longer valid tried to write; the fence let nothing through."""

    job_id: UUID
    event: str


@dataclass(frozen=True, slots=True)
class JobsRescued(Signal):
    """Jobs of workers that are gone were given on."""

    job_ids: tuple[UUID, ...]
