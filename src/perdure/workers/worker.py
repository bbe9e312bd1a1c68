"""Claims ready jobs, as many as it has free slots, and lets each attempt run; hands every outcome to the completer."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from uuid import UUID

from perdure.core.file_commands import FileCommands
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.job import Job
from perdure.models.lane import LaneName
from perdure.models.place import END, START, Place
from perdure.processors.base import Processor
from perdure.repositories.job_claims import JobClaims
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.limit_repository import LimitRepository
from perdure.signals import JobsClaimed, Signals
from perdure.workers.attempts import Attempts
from perdure.workers.batcher import MAX_BATCH
from perdure.workers.completer import Completer
from perdure.workers.lane_walk import LaneWalk
from perdure.workers.lease import LeaseKeeper
from perdure.workers.loop import Loop
from perdure.workers.progress import ProgressWriter
from perdure.workers.stopping import given_time
from perdure.workers.store_watcher import StoreWatcher
from perdure.workers.watermark import Watermark

MAX_HELD = 100
"""From so many lanes a worker claims at a time: each takes up to two locks, of which a server has some thousands."""
MAX_UNSAVED = 2 * MAX_BATCH
"""Conclusions that may wait to be committed: one batch under way, and the next."""
POLL_SECONDS = 2.0
"""How late a ready job is noticed when its wake-up was lost. A poll is two transactions: all that an idle worker costs,
but for one or two in ten seconds of each other loop."""
UNANSWERED_SECONDS = 5.0
"""For so long after a claim whose answer was lost, a worker looks whether it was committed all the same."""
LAST_CLAIM_SECONDS = 5.0
"""How long a worker that ends waits for the answer to a claim under way."""


class Worker(Loop):
    """The loop from claim to outcome. ``queues`` empty means every queue there is.

    ``on_worn_out`` is called once, when too many slots are stuck: the process had better be replaced.
    """

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
        super().__init__(signals, wakeup.event(Topic.JOBS_READY, Topic.SLOTS_FREE))
        self._database = database
        self._completer = completer
        self._watcher = watcher
        self._job_types = list(processors)
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._attempts = Attempts(
            signals,
            completer,
            progress,
            files,
            watcher,
            processors=processors,
            concurrency=concurrency,
            ended=self._look_again,
            worn_out=self._say_worn_out,
        )
        self._backlog = False
        self.has_backlog = False
        """Whether the last claim left jobs waiting, as far as is known."""
        self._unanswered_at: float | None = None
        self._claims_no_more = asyncio.Event()
        self.deadlines = self._attempts.deadlines
        self._watermark = Watermark()
        self._lane_walk = LaneWalk(wakeup.event(Topic.SLOTS_FREE))
        self.lease: LeaseKeeper | None = None
        self.on_worn_out: Callable[[], None] = lambda: None
        completer.when_saved = self._look_again

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            self._claims_no_more.set()

    async def tick(self) -> float:
        worker_id = None if self.lease is None else self.lease.worker_id
        if worker_id is not None and self._unanswered_at is not None:
            await self._take_up(worker_id, self._unanswered_at)
        was_behind, self._backlog = self._backlog, self._free <= 0  # more may be waiting: look again with the next room
        if worker_id is not None and not self._backlog:
            return await self._claim(worker_id, was_behind=was_behind)
        return POLL_SECONDS

    def cancel(self, job_ids: Sequence[UUID]) -> None:
        """Tells these attempts to stop; those that do not run here are ignored."""
        self._attempts.cancel(job_ids)

    def abandon(self) -> None:
        """Stops everything: the lease is lost, and what runs here belongs to others now."""
        self._attempts.abandon()

    async def drain(self, grace_seconds: float, at_once: asyncio.Event) -> int:
        """Lets what runs finish for ``grace_seconds``, then gives the rest back unharmed; returns how many.

        What is stuck is waited for by nobody: it was concluded long ago.
        """
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_CLAIM_SECONDS):
                await self._claims_no_more.wait()  # what it takes just now runs here too
        await given_time(self._attempts.all_concluded.wait(), grace_seconds, at_once)
        return await self._attempts.release()

    @property
    def _free(self) -> int:
        """How many attempts may begin. Handlers that outrun their conclusions wait: a crash would undo them all."""
        return self._concurrency - self._attempts.taken - max(self._completer.unsaved - MAX_UNSAVED, 0)

    def _say_worn_out(self) -> None:
        self.on_worn_out()

    def _look_again(self) -> None:
        if self._backlog:
            self.woken.set()

    async def _claim(self, worker_id: UUID, *, was_behind: bool) -> float:
        """Fills the free slots, and returns in how many seconds to look again if nobody rings.

        The lanes are walked after the claim, which a job that is waited for is not to wait for; but before it where
        more waits than there is room for, or what limits hold for would never have its turn.
        """
        began = time.monotonic()
        marks = self._watermark.marks(began)
        is_due = self._lane_walk.is_due(began)
        walks_first = is_due and was_behind
        taken, walk_again = 0, inf
        try:
            if walks_first:
                taken, walk_again = await self._take_by_lanes(worker_id, marks)
            if taken == 0:
                taken = await self._take(worker_id, marks)
            if not walks_first and not self._backlog and (is_due or taken == 0):
                more, walk_again = await self._take_by_lanes(worker_id, marks)
                taken += more
        except Unavailable:
            self._unanswered_at = time.monotonic()
            raise
        ended = time.monotonic()
        if marks is None:
            self._watermark.note_start(began, ended)
            return min(POLL_SECONDS, walk_again)
        if taken:
            self._watermark.note_continuation(began, ended)
        return min(self._watermark.seconds_until_start(ended), walk_again)

    async def _take(self, worker_id: UUID, marks: Mapping[str, Place] | None) -> int:
        """Starts jobs that no limit holds for, queue by queue in order; returns how many."""
        free, places = self._free, self._places(marks)
        if free <= 0:  # conclusions came to wait while the lanes were walked
            self._backlog = True
            return 0
        async with self._database.statement() as driver:
            sees_files = self._watcher.sees_files
            taken = await JobClaims(driver).claim(places, self._job_types, free, worker_id, sees_files=sees_files)
        return self._took(worker_id, taken, free)

    async def _take_by_lanes(self, worker_id: UUID, marks: Mapping[str, Place] | None) -> tuple[int, float]:
        """Where jobs that limits hold for may start, starts them with the others of their queues, in order.

        Returns how many of all, and in how many seconds to walk the lanes again if nobody rings.
        """
        free = self._free
        taken: Sequence[Job] = ()
        async with self._database.transaction() as connection:
            limits = LimitRepository(connection)
            lanes, walk_again = await self._walk(limits, free)
            if lanes:
                taken = await self._claimed_with(limits, lanes, worker_id, free, marks)
        return self._took(worker_id, taken, free), walk_again

    def _took(self, worker_id: UUID, taken: Sequence[Job], free: int) -> int:
        self._backlog = len(taken) >= free  # more may be waiting: look again as soon as a slot is free
        self._note_marks(taken)
        self._start(worker_id, taken)
        return len(taken)

    async def _claimed_with(
        self,
        limits: LimitRepository,
        lanes: Mapping[str, Sequence[LaneName]],
        worker_id: UUID,
        free: int,
        marks: Mapping[str, Place] | None,
    ) -> list[Job]:
        """Up to ``free`` jobs, those of these lanes, by queue, among them: one queue after the other."""
        ready = await limits.ready_queues() if marks is None else marks
        taken: list[Job] = []
        for queue in self._queues or sorted({*ready, *lanes}):
            if (queue in ready or queue in lanes) and len(taken) < free:
                taken += await limits.claim(
                    lanes.get(queue, ()),
                    queue,
                    self._job_types,
                    free - len(taken),
                    worker_id,
                    start=START if marks is None else marks.get(queue, END),
                    sees_files=self._watcher.sees_files,
                )
        return taken

    async def _walk(self, limits: LimitRepository, free: int) -> tuple[Mapping[str, Sequence[LaneName]], float]:
        """By queue the lanes to claim from as well, and in how many seconds to look for more if nobody rings."""
        self._lane_walk.begin()
        after, sees_files = self._lane_walk.after, self._watcher.sees_files
        found = await limits.walk(
            self._job_types, self._queues, min(free, MAX_HELD), after=after, sees_files=sees_files
        )
        held = defaultdict(list)
        for lane in found:
            if lane.is_held:
                held[lane.name.queue].append(lane.name)
        return held, self._lane_walk.note(found, time.monotonic())

    def _places(self, marks: Mapping[str, Place] | None) -> Sequence[str] | Mapping[str, Place]:
        """The queues to claim from; of those named for this worker, no other."""
        if marks is None:
            return self._queues
        return {queue: mark for queue, mark in marks.items() if not self._queues or queue in self._queues}

    def _note_marks(self, taken: Sequence[Job]) -> None:
        """Of each queue, the last place claimed from; the last queue's may have more behind it."""
        if taken and taken[0].queue == taken[-1].queue and not taken[-1].is_limited:
            last = {taken[-1].queue: taken[-1]}  # nearly always: they are in order
        else:
            last = {job.queue: job for job in taken if not job.is_limited}
        for queue, job in last.items():
            is_full = self._backlog and queue == taken[-1].queue
            self._watermark.note_claim(queue, job.place, is_full=is_full)

    async def _take_up(self, worker_id: UUID, unanswered_at: float) -> None:
        """Starts what a claim took whose answer was lost: while our lease lives, nobody else would."""
        while self._completer.unsaved:
            await self._completer.join()  # what has ended here is RUNNING no more
        here = self._attempts.job_ids
        async with self._database.snapshot() as connection:
            held = await JobRepository(connection).held(worker_id)
        self._start(worker_id, [job for job in held if job.job_id not in here])
        if time.monotonic() - unanswered_at > UNANSWERED_SECONDS:
            self._unanswered_at = None

    def _start(self, worker_id: UUID, taken: Sequence[Job]) -> None:
        if self.lease is None or self.lease.worker_id != worker_id:
            self._unanswered_at = time.monotonic()  # lost meanwhile, so others' to rescue; else taken up again
            return
        if taken and self._signals.is_heard(JobsClaimed):
            job_ids, job_types = zip(*((job.job_id, job.job_type) for job in taken), strict=True)
            self._signals.emit(JobsClaimed(worker_id, job_ids, job_types))
        self._attempts.start(taken)
