"""Gives on the jobs of workers that are gone. Any process may sweep: what one has locked, the others pass over.

A crash counts as an attempt: the job is concluded as ``worker_lost``, or as ``timed_out`` when its time was up (its
worker was then blocked, and killed for it), through the same door as any other failure, and so retried while attempts
remain, or failed and told.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from perdure.core.recording import Recorder
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.job import Job
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import JobsRescued, Signals
from perdure.workers.loop import Loop
from perdure.workers.outcomes import timed_out

BATCH = 200
SWEEPS_PER_LEASE = 3
"""At the least: a sweep that finds nothing costs as much as one that does. Between them the sweeper sleeps until the
first lease would lapse, and one that was given up rings."""
SHORTEST_PAUSE_SECONDS = 0.1

_LOST = Failed(
    JobError(ErrorReason.WORKER_LOST, "WorkerLost", "the worker stopped without a word, or could not renew its lease")
)


class Sweeper(Loop):
    def __init__(
        self, database: Database, signals: Signals, wakeup: Wakeup, recorder: Recorder, *, lease_seconds: float
    ) -> None:
        super().__init__(signals, wakeup.event(Topic.WORKERS_LOST))
        self._database = database
        self._recorder = recorder
        self._pause_seconds = lease_seconds / SWEEPS_PER_LEASE

    async def tick(self) -> float:
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            abandoned = await JobRepository(connection).lock_abandoned(BATCH)
            transitions = [job.conclude(_ended(job, now), now) for job in abandoned]
            recorded = await self._recorder.record(connection, transitions, now)
            workers = WorkerRepository(connection)
            await workers.retire_dead()
            next_lapse = await workers.seconds_until_next_lapse()
        self._recorder.announce(recorded)
        if recorded.held:
            self._signals.emit(JobsRescued(tuple(transition.job.job_id for transition in recorded.held)))
        if len(abandoned) == BATCH:
            return 0.0
        soon = self._pause_seconds if next_lapse is None else max(next_lapse, SHORTEST_PAUSE_SECONDS)
        return min(soon, self._pause_seconds)


def _ended(job: Job, now: datetime) -> Outcome:
    """How the attempt of a worker that is gone ended."""
    is_late = job.started_at is not None and now - job.started_at > timedelta(seconds=job.timeout_seconds)
    return timed_out(job) if is_late else _LOST
