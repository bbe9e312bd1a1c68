"""What happened, as typed values, and the hub that passes them on.

Code that acts emits signals and knows nothing of logs or metrics; telemetry subscribes. Tests wait on signals, so
that no test sleeps. Values here are plain: ids and counts, never a job, a secret or an address.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened."""


@dataclass(frozen=True, slots=True)
class JobsSubmitted(Signal):
    """New jobs, after their commit; ``job_types`` and ``queues`` hold those of each, in the same order."""

    job_ids: tuple[UUID, ...]
    job_types: tuple[str, ...]
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobsClaimed(Signal):
    """A worker took jobs of one queue; ``job_types`` holds the type of each, in the same order."""

    worker_id: UUID
    queue: str
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
    """A recorded step of a job, after its commit.

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


@dataclass(frozen=True, slots=True)
class TransitionRefused(Signal):
    """Somebody whose claim is no longer valid tried to write; the fence let nothing through."""

    job_id: UUID
    event: str


@dataclass(frozen=True, slots=True)
class JobsRescued(Signal):
    """Jobs of workers that are gone were given on."""

    job_ids: tuple[UUID, ...]


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
class NotificationIntended(Signal):
    """Who is to be told of a job's event: per channel ``PENDING`` or ``SKIPPED:<reason>``. After the commit."""

    job_id: UUID
    event: str
    channels: Mapping[str, str]
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class NotificationSettled(Signal):
    """A delivery that a notifier had claimed is sent, given up or skipped, ``duration_seconds`` after it was written.

    After the commit.
    """

    delivery_id: UUID
    job_id: UUID
    provider: str
    status: str
    reason: str | None
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class NotificationFailed(Signal):
    """One try of a delivery failed. ``message`` holds no secret and no address; ``recipient`` is masked."""

    delivery_id: UUID
    job_id: UUID
    provider: str
    recipient: str
    attempt: int
    error_type: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class QueuePaused(Signal):
    """Somebody stopped a queue from giving jobs. After the commit."""

    queue: str
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class QueueResumed(Signal):
    """Somebody let a paused queue give jobs again. After the commit."""

    queue: str
    by: str


@dataclass(frozen=True, slots=True)
class HistoryPruned(Signal):
    """Retention removed rows; ``removed`` says how many of each table. After the commit."""

    removed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobActionAdvanced(Signal):
    """An action on many jobs is a batch further, or was stopped; the counts are of all of it. After the commit."""

    action_id: UUID
    verb: str
    status: str
    done: int
    skipped: int


@dataclass(frozen=True, slots=True)
class SlotsMissed(Signal):
    """So many slots of a schedule got no job: nobody had seen to them in time. After the commit."""

    schedule: str
    missed: int


@dataclass(frozen=True, slots=True)
class ScheduleFailed(Signal):
    """A schedule's job could not be made, or its times not be read; it is tried again at the next. After the commit."""

    schedule: str
    error: str


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


AnySignal = TypeVar("AnySignal", bound=Signal)

_log = logging.getLogger("perdure")


class Signals:
    """Passes each signal to those who subscribed to its type, at once and in order."""

    def __init__(self) -> None:
        self._handlers: dict[type[Signal], list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type[AnySignal], handler: Callable[[AnySignal], None]) -> Callable[[], None]:
        """Calls ``handler`` for each signal of ``kind`` (``Signal``: all); returns the way to unsubscribe."""
        self._handlers[kind].append(handler)
        return lambda: self._handlers[kind].remove(handler)

    def emit(self, signal: Signal) -> None:
        """Passes it on. That a subscriber fails is logged and no more: what it tells of has happened all the same."""
        for kind in type(signal).__mro__[:-1]:
            for handler in tuple(self._handlers.get(kind, ())):
                try:
                    handler(signal)
                except Exception:  # noqa: BLE001 (telemetry must not hurt a job)
                    _log.exception("a subscriber of %s failed", kind.__name__)

    async def wait_for(
        self, kind: type[AnySignal], matches: Callable[[AnySignal], bool] = lambda _signal: True
    ) -> AnySignal:
        """The next signal of ``kind`` that ``matches``. Start waiting before you cause it."""
        future: asyncio.Future[AnySignal] = asyncio.get_running_loop().create_future()

        def resolve(signal: AnySignal) -> None:
            if matches(signal) and not future.done():
                future.set_result(signal)

        unsubscribe = self.subscribe(kind, resolve)
        try:
            return await future
        finally:
            unsubscribe()
