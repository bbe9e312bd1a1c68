"""What can be said about why a job stands where it stands, and the facts around it that decide.

A reason is a code for programs, a sentence for people and the values in it; the first of several is the decisive one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.models.lifecycle import JobStatus
from perdure.models.queue import PausedQueue

AHEAD_COUNTED = 1_000
"""Jobs ahead in the queue are counted up to here, so that the answer is as fast for a long queue."""
HOLDERS_NAMED = 10
"""So many of the jobs that hold a limit's slots are named, those that have run longest."""


class ReasonCode(StrEnum):
    """Why a job stands where it stands. Codes are stable; there may be more of them."""

    SCHEDULED = "scheduled"
    """Its ``run_at`` lies ahead."""
    BACKING_OFF = "backing_off"
    """An attempt failed, and the next one waits for its back-off."""
    DUE = "due"
    """Its time has come; a promoter makes it ready."""
    QUEUE_PAUSED = "queue_paused"
    """Somebody stopped its queue from giving jobs: who, when and why."""
    NO_WORKER = "no_worker"
    """No worker is alive, or each of them is about to end."""
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
    """None of the live workers serves its queue."""
    NO_WORKER_FOR_TYPE = "no_worker_for_type"
    """None of those that serve its queue knows its type."""
    NO_WORKER_FOR_FILES = "no_worker_for_files"
    """It names a file, and none of those that know its type sees the file store."""
    LIMIT_REACHED = "limit_reached"
    """As many jobs of its ``concurrency_key``, or of its type, run as may at a time; ``held_by`` names them."""
    WORKERS_BUSY = "workers_busy"
    """Every slot of those that can run it is taken."""
    READY = "ready"
    """A worker that can run it has a free slot."""
    POSITION = "position"
    """How many ready jobs are ahead of it, and in about how many seconds it starts, where that can be guessed."""
    EXPIRES = "expires"
    """It may soon be too late to begin, or before it is likely to start."""
    LEASE_LAPSED = "lease_lapsed"
    """The worker that ran it is gone; the job is given on."""
    RUNNING = "running"
    """Who runs it, and since when."""
    TIMES_OUT = "times_out"
    """When the attempt is ended if it still runs."""
    CANCEL_REQUESTED = "cancel_requested"
    """It was asked to stop."""
    PROGRESS = "progress"
    """How far it is, as its processor told last."""
    SUCCEEDED = "succeeded"
    """It succeeded."""
    FAILED = "failed"
    """It failed: how its last attempt ended."""
    CANCELLED = "cancelled"
    """It was cancelled."""
    NOBODY_TO_TELL = "nobody_to_tell"
    """It declares no notification of how it ended."""
    TOLD = "told"
    """A recipient was told of its end."""
    BEING_TOLD = "being_told"
    """A recipient is being told of its end."""
    NOT_TOLD = "not_told"
    """A recipient was not told of its end, and why."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``data`` is JSON: the values of ``message``, for programs."""

    code: ReasonCode
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons, the decisive one first; there is always one."""

    job_id: UUID
    status: JobStatus
    reasons: Sequence[Reason]

    @property
    def summary(self) -> str:
        return self.reasons[0].message


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many live workers there are for a waiting job: each count is of those among the ones before it.

    ``able`` can run it: where it names files, they see the file store.
    ``slots`` and ``running`` are those of the able workers; ``ahead`` counts ready jobs of its queue up to
    ``AHEAD_COUNTED``.
    """

    alive: int = 0
    serving_queue: int = 0
    knowing_type: int = 0
    able: int = 0
    slots: int = 0
    running: int = 0
    ahead: int = 0

    @property
    def free(self) -> int:
        return max(self.slots - self.running, 0)

    def seconds_until_start(self, attempt_seconds: float) -> float:
        """About how long a job waits behind those ahead of it, where an attempt takes so long on the average."""
        before = self.ahead + 1 - self.free
        return max(before, 0) * attempt_seconds / max(self.slots, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedLimit:
    """A limit that lets no more jobs run: ``limit_of`` is the field of the job that it is of."""

    limit_of: Literal["concurrency_key", "job_type"]
    allowed: int
    running: int
    held_by: Sequence[UUID]
    """Up to ``HOLDERS_NAMED`` of those that run, the longest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The worker that runs a job. ``alive``: its lease has not lapsed."""

    worker_id: UUID
    hostname: str
    process_id: int
    lease_until: datetime
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was read around a job: as much as its state asks for."""

    paused: PausedQueue | None = None
    limits: Sequence[ReachedLimit] = ()
    capacity: Capacity = Capacity()
    attempt_seconds: float | None = None
    """How long attempts like those ahead of it lately took, on the average; None where it is not known or not asked."""
    holder: Holder | None = None
    deliveries: Sequence[DeliveryOnRecord] = ()
    """Those of its present run."""
