"""The attempts that a worker has under way. Each holds its slot until its processor has really ended.

An attempt is concluded once: by what its processor came to, or by what overrules that (its deadline, the end of the
worker). An overruled processor is told to stop. A thread, or a coroutine that will not be cancelled, may go on taking
the worker's time, so its slot stays taken; what it comes to in the end is dropped, as the fence would refuse it. When
too many slots are stuck like that, the worker is worn out.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

from perdure.core.file_commands import FileCommands
from perdure.models.job import Job
from perdure.models.outcome import Cancelled, Outcome, Released, Succeeded
from perdure.processors.base import Processor
from perdure.signals import AttemptEndedLate, AttemptStuck, Signals, WorkerWornOut
from perdure.telemetry import logs
from perdure.workers.completer import Completer
from perdure.workers.context import AttemptContext, Reach, StopReason
from perdure.workers.deadlines import Deadline, Deadlines
from perdure.workers.execution import execute
from perdure.workers.isolation import IsolatedProcesses
from perdure.workers.outcomes import timed_out
from perdure.workers.progress import ProgressWriter
from perdure.workers.runners import Runners
from perdure.workers.store_watcher import StoreWatcher

STOP_SECONDS = 5.0
"""How long a processor that was told to stop may take before it counts as stuck."""
MAX_STUCK = 5
"""So many stuck slots, or all there are, and the worker is worn out."""
CLEAN_UP_SECONDS = 1.0
"""How long a worker that ends waits for the processors that it has just stopped."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt, from its start to the end of its processor."""

    job: Job
    processor: Processor
    context: AttemptContext
    task: asyncio.Task[None] | None = None
    """Where it runs; None before it has begun."""
    deadline: Deadline | None = None
    overruled_at: float | None = None
    """On ``time.monotonic()``."""
    is_stuck: bool = False


class Attempts:
    """``ended`` is called whenever a slot is free again, ``worn_out`` once."""

    def __init__(
        self,
        signals: Signals,
        completer: Completer,
        progress: ProgressWriter,
        files: FileCommands,
        watcher: StoreWatcher,
        *,
        processors: Mapping[str, Processor],
        concurrency: int,
        ended: Callable[[], None],
        worn_out: Callable[[], None],
    ) -> None:
        self._signals = signals
        self._completer = completer
        self._files = files
        self._reach = Reach(files, watcher, progress.report, progress.log_of)
        self._processors = processors
        self._max_stuck = min(MAX_STUCK, concurrency)
        self._ended = ended
        self._worn_out = worn_out
        self._threads = ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="processor")
        self._processes = IsolatedProcesses(concurrency)
        self._runners = Runners(self._run)
        self._slots: set[Attempt] = set()
        self._live: dict[UUID, Attempt] = {}
        """Those of them that are not concluded."""
        self._stuck = 0
        self._is_worn_out = False
        self.deadlines = Deadlines()
        self.all_concluded = asyncio.Event()
        self.all_concluded.set()

    @property
    def taken(self) -> int:
        """How many slots are taken: by attempts that are not concluded, and by processors that have not ended."""
        return len(self._slots)

    @property
    def job_ids(self) -> set[UUID]:
        """The jobs whose attempts are not concluded."""
        return set(self._live)

    def start(self, jobs: Sequence[Job]) -> None:
        """Lets the attempts begin for which ``jobs`` were claimed. Their time begins now."""
        if not jobs:
            return
        now = time.monotonic()
        attempts = [Attempt(job, self._processors[job.job_type], AttemptContext(job, self._reach)) for job in jobs]
        of_timeout: dict[float, set[Attempt]] = defaultdict(set)
        for attempt in attempts:
            of_timeout[attempt.job.timeout_seconds].add(attempt)
            self._live[attempt.job.job_id] = attempt
        for seconds, those in of_timeout.items():
            deadline = self.deadlines.add(now + seconds, self._time_out, those)
            for attempt in those:
                attempt.deadline = deadline
        self._slots.update(attempts)
        self.all_concluded.clear()
        self._runners.run(attempts)

    def cancel(self, job_ids: Sequence[UUID]) -> None:
        """Tells these to stop, once; what they come to, or their deadline, concludes them. Ignores those not here."""
        for job_id in job_ids:
            attempt = self._live.get(job_id)
            if attempt is not None and attempt.context.stop_reason is None:
                self._tell(attempt, StopReason.CANCELLED)

    def abandon(self) -> None:
        """Stops all of them and concludes none: the lease is lost, and they belong to others now."""
        for attempt in tuple(self._live.values()):
            self._overrule(attempt, StopReason.LEASE_LOST, None)

    async def release(self) -> int:
        """Gives what is not concluded back unharmed, and returns how many that were; ends the threads that are idle."""
        left = tuple(self._live.values())
        for attempt in left:
            self._overrule(attempt, StopReason.RELEASED, Released())
        while any(attempt.task is None for attempt in left):  # noqa: ASYNC110 (it looks, and does not begin: at once)
            await asyncio.sleep(0)
        tasks = [attempt.task for attempt in left if attempt.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=CLEAN_UP_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._processes.close()
        return len(left)

    async def _run(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        attempt.task = task
        logs.begin_attempt(attempt.job)
        outcome = await execute(attempt.processor, attempt.job, attempt.context, self._threads, self._processes)
        if attempt.overruled_at is None:
            self._conclude(attempt, outcome)
        else:
            self._drop(attempt, attempt.overruled_at, outcome)
        self._slots.remove(attempt)
        self._ended()
        if attempt.context.stop_reason is StopReason.LEASE_LOST and (outputs := attempt.context.close()):
            await self._files.discard([file.file_id for file in outputs])

    def _time_out(self, attempt: Attempt) -> None:
        is_cancelled = attempt.context.stop_reason is StopReason.CANCELLED
        self._overrule(attempt, StopReason.TIMED_OUT, Cancelled() if is_cancelled else timed_out(attempt.job))

    def _overrule(self, attempt: Attempt, reason: StopReason, outcome: Outcome | None) -> None:
        """Ends it without waiting for its processor, which is told to stop."""
        attempt.overruled_at = time.monotonic()
        self._conclude(attempt, outcome)
        self._tell(attempt, reason)
        attempt.deadline = self.deadlines.add(attempt.overruled_at + STOP_SECONDS, self._note_stuck, {attempt})

    def _tell(self, attempt: Attempt, reason: StopReason) -> None:
        """A coroutine is interrupted; a thread can only be asked. What has not begun looks when it does."""
        attempt.context.stop_reason = reason
        if attempt.task is not None and not attempt.processor.runs_in_thread:
            attempt.task.cancel()

    def _conclude(self, attempt: Attempt, outcome: Outcome | None) -> None:
        del self._live[attempt.job.job_id]
        if attempt.deadline is not None:
            self.deadlines.remove(attempt.deadline, attempt)
        outputs, progress = attempt.context.close(), attempt.context.last_progress
        if outcome is not None:
            job = attempt.job if progress is None else replace(attempt.job, progress=progress)
            self._completer.conclude(job, outcome, outputs, attempt.context.attempt_log)
        if not self._live:
            self.all_concluded.set()

    def _note_stuck(self, attempt: Attempt) -> None:
        attempt.is_stuck = True
        self._stuck += 1
        job = attempt.job
        self._signals.emit(AttemptStuck(job.job_id, job.job_type, job.attempt, self._stuck))
        if self._stuck >= self._max_stuck and not self._is_worn_out:
            self._is_worn_out = True
            self._signals.emit(WorkerWornOut(self._stuck))
            self._worn_out()

    def _drop(self, attempt: Attempt, overruled_at: float, outcome: Outcome) -> None:
        if attempt.deadline is not None:
            self.deadlines.remove(attempt.deadline, attempt)
        self._stuck -= attempt.is_stuck
        if attempt.is_stuck or isinstance(outcome, Succeeded):
            job, late = attempt.job, time.monotonic() - overruled_at
            self._signals.emit(AttemptEndedLate(job.job_id, job.job_type, job.attempt, type(outcome).__name__, late))
