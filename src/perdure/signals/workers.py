"""What happened to the processes that work: their attempts, leases, files and loops."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from perdure.signals.hub import Signal


@dataclass(frozen=True, slots=True)
class WorkerStarted(Signal):
    worker_id: UUID
    job_types: tuple[str, ...]
    concurrency: int


@dataclass(frozen=True, slots=True)
class WorkerStopped(Signal):
    worker_id: UUID
    released: int


@dataclass(frozen=True, slots=True)
class AttemptStuck(Signal):
    """A processor that was told to stop has not: its slot stays taken, and ``stuck`` of the worker's do by now."""

    job_id: UUID
    job_type: str
    attempt: int
    stuck: int


@dataclass(frozen=True, slots=True)
class AttemptEndedLate(Signal):
    """A processor ended after its attempt had been concluded without it; its ``outcome`` was dropped."""

    job_id: UUID
    job_type: str
    attempt: int
    outcome: str
    late_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerWornOut(Signal):
    """So many slots of a worker are stuck that its process should be replaced."""

    stuck: int


@dataclass(frozen=True, slots=True)
class LeaseLost(Signal):
    """The worker could not renew its lease in time: what it still runs belongs to others now."""

    worker_id: UUID


@dataclass(frozen=True, slots=True)
class WorkerOverdue(Signal):
    """The worker's process is blocked past the deadline of one of its attempts, and is killed by its parent."""

    worker_id: UUID | None


@dataclass(frozen=True, slots=True)
class FileStoreMissed(Signal):
    """The process's folder is not the platform's file store: what needs files is left to others."""

    store_id: UUID


@dataclass(frozen=True, slots=True)
class FileStoreSeen(Signal):
    """The file store that the process missed is there."""

    store_id: UUID


@dataclass(frozen=True, slots=True)
class LoopInterrupted(Signal):
    """A loop could not do its work and tries again in ``retry_seconds``."""

    loop: str
    error: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class LoopBroken(Signal):
    """A loop died of a bug, whose traceback this is: the process ends."""

    exception: str
