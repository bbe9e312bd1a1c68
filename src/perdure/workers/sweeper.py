"""Gives on the jobs of workers that are gone. Any process may sweep: what one has locked, the others pass over.

A crash counts as an attempt: the job is concluded as ``worker_lost``, through the same door as any other failure,
and so retried while attempts remain, or failed and told.
"""

from __future__ import annotations

from perdure.core.recording import Recorder
from perdure.db.session import Database
from perdure.models.outcome import ErrorReason, Failed, JobError
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import JobsRescued, Signals
from perdure.workers.loop import Loop

BATCH = 200
SWEEPS_PER_LEASE = 15
"""So a lapsed lease is noticed within a fifteenth of its length: 2 s at the default of 30."""

_LOST = Failed(
    JobError(ErrorReason.WORKER_LOST, "WorkerLost", "the worker stopped without a word, or could not renew its lease")
)


class Sweeper(Loop):
    def __init__(self, database: Database, signals: Signals, recorder: Recorder, *, lease_seconds: float) -> None:
        super().__init__(signals)
        self._database = database
        self._recorder = recorder
        self._pause_seconds = lease_seconds / SWEEPS_PER_LEASE

    async def tick(self) -> float:
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            abandoned = await JobRepository(connection).lock_abandoned(BATCH)
            recorded = await self._recorder.record(connection, [job.conclude(_LOST, now) for job in abandoned], now)
            await WorkerRepository(connection).retire_dead()
        self._recorder.announce(recorded)
        if recorded.held:
            self._signals.emit(JobsRescued(tuple(transition.job.job_id for transition in recorded.held)))
        return 0.0 if len(abandoned) == BATCH else self._pause_seconds
