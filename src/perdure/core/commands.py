"""What can be asked of the platform: submit (or only preview), cancel, retry. One command, one transaction.

Routes, the command line and (later) the dashboard all come through here.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from perdure.core.idempotency import KEPT, check_same, submission_of
from perdure.core.job_factory import JobFactory, edited
from perdure.core.joint_submission import JointSubmission, Told
from perdure.core.preview import Preview, preview_of
from perdure.core.recording import Recorder
from perdure.core.submission import Made, announce, declare, store
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Conflict, NotFound, PerdureError, ReplayedJobRemoved, UniqueKeyTaken
from perdure.models.job import Job
from perdure.models.submission import IdempotencyKey, Submission
from perdure.repositories.idempotency_repository import IdempotencyRepository
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.limit_repository import LimitRepository
from perdure.schemas.job import JobCreate, JobEdits
from perdure.signals import Signals


class Commands:
    """The writing verbs, each its own unit of work."""

    def __init__(
        self, database: Database, factory: JobFactory, recorder: Recorder, wakeup: Wakeup, signals: Signals
    ) -> None:
        self._database = database
        self._factory = factory
        self._recorder = recorder
        self._wakeup = wakeup
        self._signals = signals
        self._together = JointSubmission(database, factory, wakeup, signals, keys_kept=KEPT)

    async def submit(self, sent: JobCreate) -> Job:
        """Stores the job that ``sent`` declares and returns it, once it is committed.

        Raises ``UniqueKeyTaken`` where a live job has its unique key.
        """
        job = await self._together.store(sent)
        if job is not None:
            return job
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            job = await self._stored(connection, sent, now)
        announce([job], self._signals, self._wakeup)
        return job

    async def submit_once(self, sent: JobCreate, key: IdempotencyKey) -> Submission:
        """Like ``submit``, the first time; repeated under its key within a day, it returns the job of the first time.

        Raises ``IdempotencyKeyReused`` where something else was submitted then.
        """
        submission = submission_of(uuid7(), sent)
        stored = await self._together.store(sent, key, submission)
        if stored is not None:
            return Submission(stored, is_replay=False)
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            first = await IdempotencyRepository(connection).take(key, submission, now, now - KEPT)
            if first is not submission:
                check_same(first, submission)
                made = await JobQueries(connection).get(first.job_id)
                if made is None:
                    raise ReplayedJobRemoved(first.job_id)
                return Submission(made, is_replay=True)
            job = await self._stored(connection, sent, now, submission.job_id)
        announce([job], self._signals, self._wakeup)
        return Submission(job, is_replay=False)

    def submit_soon(self, sent: JobCreate, key: IdempotencyKey | None, tell: Told) -> bool:
        """``submit``, or ``submit_once`` for the first time, for somebody who cannot wait, and is told afterwards.

        False, and nothing is done, where it takes more than joining what is stored next.
        """
        submission = None if key is None else submission_of(uuid7(), sent)
        return self._together.store_soon(sent, tell, key, submission)

    async def preview(self, sent: JobCreate) -> Preview:
        """What ``submit`` would do, checked as it is there. Stores nothing."""
        now = self._database.clock.now()
        async with self._database.snapshot() as connection:
            declared, _files = await declare(connection, self._factory, [(uuid7(), sent)], now)
            return await preview_of(_only(declared), connection, self._recorder, now)

    async def _stored(
        self,
        connection: AsyncConnection,
        sent: JobCreate,
        now: datetime,
        job_id: UUID | None = None,
        *,
        copy_of: UUID | None = None,
    ) -> Job:
        return _only(await store(connection, self._factory, [(job_id or uuid7(), sent)], now, copy_of=copy_of))

    async def cancel(self, job_id: UUID) -> Job:
        """Cancels a waiting job at once; asks a running one to stop (it stays RUNNING until it has)."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            jobs = JobRepository(connection)
            job = _found(await jobs.lock(job_id))
            if job.is_final:
                raise Conflict(f"The job is {job.status} already; there is nothing left to cancel.")
            if job.is_waiting:
                recorded = await self._recorder.record(connection, [job.cancel(now)], now)
            else:
                recorded = None
                await jobs.request_cancel([job_id], now)
                job = _found(await jobs.lock(job_id))
        if recorded is None:
            self._wakeup.ring(Topic.CANCELS)
            return job
        self._recorder.announce(recorded)
        return recorded.held[0].job

    async def retry(self, job_id: UUID) -> Job:
        """Opens a new run of a finished job."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            job = _finished(await JobRepository(connection).lock(job_id))
            await LimitRepository(connection).limit([job_id])
            recorded = await self._recorder.record(connection, [job.restart(now)], now)
            if not recorded.held:
                await _refuse_taken_key(JobRepository(connection), job)
                raise Conflict("A live job had the unique key of this one until just now. Try again.")
        self._recorder.announce(recorded)
        return recorded.held[0].job

    async def retry_edited(self, job_id: UUID, edits: JobEdits) -> Job:
        """Stores an edited copy of a finished job, checked like any submission; the job itself stays as it is.

        Raises ``UniqueKeyTaken`` where a live job has its unique key.
        """
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            original = _finished(await JobRepository(connection).lock(job_id))
            job = await self._stored(connection, edited(original, edits), now, copy_of=job_id)
        announce([job], self._signals, self._wakeup)
        return job


async def _refuse_taken_key(jobs: JobRepository, job: Job) -> None:
    """Says which live job has the key, unless that has just ended."""
    for holder in (await jobs.unique_holders([job.unique_key or ""])).values():
        raise UniqueKeyTaken(holder)


def _only(made: Made) -> Job:
    [job] = made
    if isinstance(job, PerdureError):
        raise job
    return job


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no job with this id.")
    return job


def _finished(job: Job | None) -> Job:
    job = _found(job)
    if not job.is_final:
        raise Conflict(f"The job is {job.status}; only a finished job can be retried.")
    return job
