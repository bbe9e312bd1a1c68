"""Runs the loops of one process together: starts them, and drains them in the right order when asked to stop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from perdure.core.file_commands import FileCommands
from perdure.core.job_actions import JobActions
from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.core.recording import Recorder
from perdure.core.retention import Retention
from perdure.core.scheduling import Scheduling
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.errors import Unavailable
from perdure.models.lease import OVERDUE_SECONDS
from perdure.processors.registry import ProcessorRegistry
from perdure.signals import Signals, WorkerStarted, WorkerStopped
from perdure.workers.action_runner import ActionRunner
from perdure.workers.completer import Completer
from perdure.workers.expirer import Expirer
from perdure.workers.file_sweeper import FileSweeper
from perdure.workers.lease import LeaseKeeper
from perdure.workers.lease_holder import ThisProcess
from perdure.workers.lease_page import LeasePage
from perdure.workers.limit_follower import LimitFollower
from perdure.workers.loop import Loop
from perdure.workers.loop_group import LoopGroup
from perdure.workers.notifier import Notifier
from perdure.workers.progress import ProgressWriter
from perdure.workers.promoter import Promoter
from perdure.workers.pruner import Pruner
from perdure.workers.renewer import Renewer
from perdure.workers.scheduler import Scheduler
from perdure.workers.stopping import WORN_OUT, Replacement
from perdure.workers.store_watcher import StoreWatcher
from perdure.workers.subscription_follower import SubscriptionFollower
from perdure.workers.sweeper import Sweeper
from perdure.workers.tallier import Tallier
from perdure.workers.worker import Worker

CLOCK_INTERVAL_SECONDS = 10.0
NOTIFIER_GRACE_SECONDS = 5.0


class ClockReader(Loop):
    """Reads the database's clock again from time to time."""

    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database

    async def tick(self) -> float:
        await self._database.read_clock()
        return CLOCK_INTERVAL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker serves and how much at a time; ``queues`` empty means all.

    ``lease_page`` is shared with the parent that renews the lease; without one the process renews it itself.
    """

    registry: ProcessorRegistry
    queues: tuple[str, ...]
    concurrency: int
    drain_seconds: float
    lease_page: LeasePage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The parts that a process runs. A None is a part that it does not run."""

    database: Database
    wakeup: Wakeup
    signals: Signals
    recorder: Recorder
    files: FileCommands
    subscriptions: SubscriptionCopy
    lease_seconds: float
    worker: WorkerOptions | None
    notifier: Notifier | None
    run_promoter: bool
    run_sweeper: bool
    scheduling: Scheduling | None
    retention: Retention | None
    actions: JobActions | None

    @asynccontextmanager
    async def running(self, at_once: asyncio.Event | None = None) -> AsyncIterator[None]:
        """Everything runs inside the block; leaving it drains: first the worker, then what it left to be told.

        Once ``at_once`` is set, attempts are given back and no more waited for. A loop that dies of a bug ends the
        block, drains at once and raises what it died of.
        """
        tallier = Tallier(self.database, self.signals)
        replacement = Replacement()
        async with LoopGroup(self.signals) as group:
            watcher = StoreWatcher(self.signals, self.files)
            tasks = [group.create_task(self.wakeup.run()), *self._start_keepers(group, watcher, tallier)]
            try:
                async with (
                    self._worker_running(group, watcher, replacement, at_once or asyncio.Event()),
                    self._notifier_running(group),
                ):
                    yield
            finally:
                for task in tasks:
                    task.cancel()
        with suppress(Unavailable):
            await tallier.save()
        if replacement.is_asked_for:
            raise SystemExit(WORN_OUT)

    def _start_keepers(self, group: LoopGroup, *kept: Loop) -> list[asyncio.Task[None]]:
        follower = SubscriptionFollower(self.signals, self.wakeup, self.subscriptions)
        loops: list[Loop] = [ClockReader(self.database, self.signals), follower, *kept]
        if self.run_promoter:
            loops.append(Promoter(self.database, self.signals, self.wakeup))
        if self.run_sweeper:
            loops.append(
                Sweeper(self.database, self.signals, self.wakeup, self.recorder, lease_seconds=self.lease_seconds)
            )
            loops.append(Expirer(self.database, self.signals, self.wakeup, self.recorder))
            loops.append(FileSweeper(self.signals, self.wakeup, self.files))
        if self.scheduling is not None:
            loops.append(Scheduler(self.signals, self.wakeup, self.scheduling))
        if self.retention is not None:
            loops.append(Pruner(self.signals, self.wakeup, self.retention))
        if self.actions is not None:
            loops.append(ActionRunner(self.signals, self.wakeup, self.actions))
        return [group.create_task(loop.run()) for loop in loops]

    @asynccontextmanager
    async def _notifier_running(self, group: LoopGroup) -> AsyncIterator[None]:
        if self.notifier is None:
            yield
            return
        saving = group.create_task(self.notifier.completer.run())
        group.create_task(self.notifier.run())
        try:
            yield
        finally:
            await self.notifier.drain(NOTIFIER_GRACE_SECONDS)
            saving.cancel()

    @asynccontextmanager
    async def _worker_running(
        self, group: LoopGroup, watcher: StoreWatcher, replacement: Replacement, at_once: asyncio.Event
    ) -> AsyncIterator[None]:
        if self.worker is None:
            yield
            return
        options = self.worker
        completer = Completer(self.database, self.recorder, self.wakeup, self.signals)
        progress = ProgressWriter(self.database, self.signals)
        await watcher.tick()  # before the first claim
        worker = Worker(
            self.database,
            self.signals,
            self.wakeup,
            completer,
            progress,
            self.files,
            watcher,
            processors={processor.job_type: processor for processor in options.registry},
            queues=options.queues,
            concurrency=options.concurrency,
        )
        if self.notifier is not None:
            self.notifier.jobs_first.slots = options.concurrency
            self.notifier.jobs_first.has_backlog = lambda: worker.has_backlog
        page = options.lease_page or LeasePage()
        lease = LeaseKeeper(
            self.database,
            self.signals,
            self.wakeup,
            page,
            lease_seconds=self.lease_seconds,
            queues=options.queues,
            processors=list(options.registry),
            concurrency=options.concurrency,
            sees_files=lambda: watcher.sees_files,
            on_lost=worker.abandon,
            on_cancel=worker.cancel,
        )
        worker.lease = lease
        worker.deadlines.on_change = partial(_note_deadline, page)
        if options.lease_page is not None:  # the page of a parent, which replaces this process
            worker.on_worn_out = replacement.ask
        tasks = [group.create_task(part.run()) for part in (completer, progress)]
        if options.lease_page is None:
            renewer = Renewer(self.database, self.signals, [ThisProcess(page)], lease_seconds=self.lease_seconds)
            tasks.append(group.create_task(renewer.run()))
        worker_id = await lease.begin()
        self.signals.emit(WorkerStarted(worker_id, tuple(sorted(options.registry.job_types)), options.concurrency))
        tasks.append(group.create_task(lease.run()))
        if any(processor.max_concurrent is not None for processor in options.registry):
            tasks.append(group.create_task(LimitFollower(self.database, self.signals).run()))
        group.create_task(worker.run())
        try:
            yield
        finally:
            tasks.append(group.create_task(lease.note_draining()))
            released = await worker.drain(0.0 if group.broken else options.drain_seconds, at_once)
            with suppress(TimeoutError):  # what could not be written by then is others' to run again
                async with asyncio.timeout(self.lease_seconds):
                    await completer.join()
            for task in tasks:
                task.cancel()
            with suppress(Unavailable):
                await lease.retire()
            self.signals.emit(WorkerStopped(worker_id, released))


def _note_deadline(page: LeasePage, earliest: float | None) -> None:
    """Writes down by when this process must have acted on its next deadline: it cannot say so once it is blocked."""
    page.overdue_at = math.inf if earliest is None else earliest + OVERDUE_SECONDS
