"""Concludes attempts, many in one transaction: jobs under their fence, their events, their deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.recording import Recorded, Recorder
from perdure.db.session import Database
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome
from perdure.repositories.job_repository import JobRepository
from perdure.signals import Signals
from perdure.workers.batcher import Batcher

Conclusion = tuple[Job, Outcome]


class Completer:
    """Takes (claimed job, outcome) and writes what follows from it."""

    def __init__(self, database: Database, recorder: Recorder, signals: Signals) -> None:
        self._database = database
        self._recorder = recorder
        self._batcher: Batcher[Conclusion] = Batcher("Completer", self._save, signals)

    def conclude(self, job: Job, outcome: Outcome) -> None:
        self._batcher.put((job, outcome))

    async def join(self) -> None:
        """Returns once everything handed in so far is committed or refused."""
        await self._batcher.join()

    async def run(self) -> None:
        await self._batcher.run()

    async def _save(self, conclusions: list[Conclusion]) -> None:
        try:
            await self._record(conclusions)
        except DBAPIError as error:
            if len(conclusions) > 1:  # one of them cannot be stored: it must not take the others with it
                for conclusion in conclusions:
                    await self._save([conclusion])
            else:
                await self._record([(conclusions[0][0], _cannot_be_stored(error))])

    async def _record(self, conclusions: list[Conclusion]) -> None:
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            recorded = await self._recorder.record(connection, _transitions(conclusions, now), now)
            if recorded.refused:
                again = await self._still_ours(connection, conclusions, recorded)
                recorded += await self._recorder.record(connection, _transitions(again, now), now)
        self._recorder.announce(recorded)

    async def _still_ours(
        self, connection: AsyncConnection, conclusions: list[Conclusion], recorded: Recorded
    ) -> list[Conclusion]:
        """Of what was refused, the jobs that we do hold (only a cancel request came between), locked."""
        ours = {job.job_id: (job, outcome) for job, outcome in conclusions}
        found = await JobRepository(connection).lock_all([one.job.job_id for one in recorded.refused])
        return [
            (replace(job, cancel_requested_at=stored.cancel_requested_at), outcome)
            for stored in found
            for job, outcome in [ours[stored.job_id]]
            if stored.status is JobStatus.RUNNING and stored.fence == job.fence
        ]


def _transitions(conclusions: list[Conclusion], now: datetime) -> list[Transition]:
    return [job.conclude(outcome, now) for job, outcome in conclusions]


def _cannot_be_stored(error: DBAPIError) -> Failed:
    kind = type(error.orig).__name__ if error.orig is not None else type(error).__name__
    return Failed(
        JobError(ErrorReason.NOT_RETRYABLE, kind, "the database refused to store what the attempt came to; see the log")
    )
