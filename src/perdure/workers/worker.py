"""Claims ready jobs, as many as it has free slots, and lets each attempt run; hands every outcome to the completer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

from perdure.core.file_commands import FileCommands
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.job import Job
from perdure.models.outcome import Released
from perdure.processors.base import Processor
from perdure.repositories.job_repository import JobRepository
from perdure.signals import JobsClaimed, Signals
from perdure.telemetry import logs
from perdure.workers.batcher import MAX_BATCH
from perdure.workers.completer import Completer
from perdure.workers.context import AttemptContext, StopReason
from perdure.workers.execution import execute
from perdure.workers.lease import LeaseKeeper
from perdure.workers.loop import Loop
from perdure.workers.progress import ProgressWriter
from perdure.workers.store_watcher import StoreWatcher

MAX_UNSAVED = 2 * MAX_BATCH
"""Conclusions that may wait to be committed: one batch under way, and the next."""
POLL_SECONDS = 1.0
"""How late a ready job is noticed when its wake-up was lost."""


class Worker(Loop):
    """The loop from claim to outcome. ``queues`` empty means every queue there is."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        wakeup: Wakeup,
        completer: Completer,
        progress: ProgressWriter,
        files: FileCommands,
        watcher: StoreWatcher,
        *,
        processors: Mapping[str, Processor],
        queues: Sequence[str],
        concurrency: int,
    ) -> None:
        super().__init__(signals, wakeup.event(Topic.JOBS_READY))
        self._database = database
        self._completer = completer
        self._progress = progress
        self._files = files
        self._watcher = watcher
        self._processors = processors
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._threads = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="processor")
        self._running: dict[UUID, tuple[asyncio.Task[None], AttemptContext]] = {}
        self._backlog = False
        self.lease: LeaseKeeper | None = None
        completer.when_saved = self._look_again

    async def tick(self) -> float:
        worker_id = None if self.lease is None else self.lease.worker_id
        self._backlog = self._free <= 0  # more may be waiting: look again as soon as there is room
        if worker_id is not None and not self._backlog:
            await self._claim(worker_id)
        return POLL_SECONDS

    def cancel(self, job_ids: Sequence[UUID], reason: StopReason = StopReason.CANCELLED) -> None:
        """Tells these attempts to stop; those that do not run here are ignored."""
        for job_id in job_ids:
            task, context = self._running.get(job_id, (None, None))
            if task is not None and context is not None and context.stop_reason is None:
                context.stop_reason = reason
                task.cancel()

    def abandon(self) -> None:
        """Stops everything: the lease is lost, and what runs here belongs to others now."""
        self.cancel(list(self._running), StopReason.LEASE_LOST)

    async def drain(self, grace_seconds: float) -> int:
        """Lets what runs finish for ``grace_seconds``, then gives the rest back unharmed; returns how many."""
        self.stop()
        tasks = [task for task, _ in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        left = list(self._running)
        self.cancel(left, StopReason.RELEASED)
        tasks = [task for task, _ in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        self._threads.shutdown(wait=False, cancel_futures=True)
        return len(left)

    @property
    def _free(self) -> int:
        """How many attempts may begin. Handlers that outrun their conclusions wait: a crash would undo them all."""
        return self._concurrency - len(self._running) - max(self._completer.unsaved - MAX_UNSAVED, 0)

    def _look_again(self) -> None:
        if self._backlog:
            self.woken.set()

    async def _claim(self, worker_id: UUID) -> None:
        claimed: list[tuple[str, list[Job]]] = []
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            free = self._free
            for queue in self._queues or await jobs.ready_queues():
                taken = await jobs.claim(
                    queue, list(self._processors), free, worker_id, sees_files=self._watcher.sees_files
                )
                free -= len(taken)
                claimed.append((queue, taken))
                if free == 0:
                    break
        self._backlog = free == 0  # more may be waiting: look again as soon as a slot is free
        for queue, taken in claimed:
            if taken:
                job_ids, job_types = zip(*((job.job_id, job.job_type) for job in taken), strict=True)
                self._signals.emit(JobsClaimed(worker_id, queue, job_ids, job_types))
            for job in taken:
                self._start(job)

    def _start(self, job: Job) -> None:
        context = AttemptContext(job, self._files, self._watcher, self._progress.report)
        self._running[job.job_id] = (asyncio.create_task(self._attempt(job, context)), context)

    async def _attempt(self, job: Job, context: AttemptContext) -> None:
        try:
            with logs.about_attempt(job):
                outcome = await execute(self._processors[job.job_type], job, context, self._threads)
        except asyncio.CancelledError:  # stopped before it began
            outcome = Released()
        outputs = context.outputs.close()
        del self._running[job.job_id]
        if context.stop_reason is not StopReason.LEASE_LOST:
            self._completer.conclude(replace(job, progress=context.last_progress or job.progress), outcome, outputs)
        self._look_again()
        if context.stop_reason is StopReason.LEASE_LOST and outputs:
            await self._files.discard([file.file_id for file in outputs])
