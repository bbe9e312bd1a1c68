"""A conclusion is written once and told once, whatever happens to the save, and whatever else arrives with it."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from tests import claiming
from tests.faulty_database import Fault, FaultyDatabase
from uuid_utils.compat import uuid7

from perdure.models.file import File
from perdure.models.job import Job
from perdure.models.job_log import LogLevel
from perdure.models.lease import WorkerIdentity
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome, Succeeded
from perdure.models.retry import RetryPolicy
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository
from perdure.signals import JobTransitioned, NotificationIntended, TransitionRefused
from perdure.workers import batcher
from perdure.workers.attempt_log import AttemptLog
from perdure.workers.completer import Completer

FAILURE = Failed(JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "no", "trace"))
LOST = Failed(JobError(ErrorReason.WORKER_LOST, "WorkerLost", "gone"))
ALREADY_TOLD = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, recipient, status, attempts, fence, snapshot,
         next_attempt_at, created_at)
    VALUES (:delivery_id, :job_id, 1, 'SUCCESS', 'email', 'mailtrap', 'ada@example.com', 'PENDING', 0, 0, '{}',
            now(), now())
""")


class Bench:
    """A completer on a faulty database, and what it says aloud."""

    def __init__(self, platform, database: FaultyDatabase) -> None:
        self.database = database
        self.completer = Completer(database, platform.recorder, platform.wakeup, platform.signals)
        self.said: list = []
        for kind in (JobTransitioned, NotificationIntended, TransitionRefused):
            platform.signals.subscribe(kind, lambda _signal, kind=kind: self.said.append(kind))

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.completer.run())
        yield self
        task.cancel()

    async def submit(self) -> Job:
        declared = {"job_type": "t", "payload": {}, "queue": "default", "priority": 0, "max_attempts": 3}
        declared |= {"timeout_seconds": 60.0, "retry": RetryPolicy(0.0, 0.0)}
        declared |= {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
        job = Job.submit(job_id=uuid7(), run_at=None, now=self.database.clock.now(), **declared)
        async with self.database.transaction() as connection:
            await JobRepository(connection).add([job])
        return job

    async def claim(self) -> Job:
        worker = WorkerIdentity(uuid7(), "host", 1, "0", (), ("t",), 1)
        async with self.database.transaction() as connection:
            await connection.execute(text("UPDATE perdure.jobs SET status = 'QUEUED' WHERE status = 'RETRYING'"))
            await WorkerRepository(connection).register(worker, 60)
            [claimed] = await claiming.claim(connection, "default", ["t"], 1, worker.worker_id)
        return claimed

    async def save(self, *conclusions: tuple[Job, Outcome], fault: Fault = Fault.NONE, files=(), log=None) -> None:
        """All of them in one batch."""
        self.database.fault = fault
        for job, outcome in conclusions:
            self.completer.conclude(job, outcome, files, log)
        await self.completer.join()

    async def events(self, job: Job) -> list[str]:
        query = "SELECT event FROM perdure.job_events WHERE job_id = :job_id ORDER BY event_id"
        async with self.database.snapshot() as connection:
            return list((await connection.execute(text(query), {"job_id": job.job_id})).scalars())

    def log(self, job: Job, message: str) -> AttemptLog:
        """The log of an attempt that has just said something."""
        log = AttemptLog(job, self.database.clock.now, lambda _: None)
        log.say(message, LogLevel.INFO)
        return log

    async def logged(self, job: Job) -> list[str]:
        async with self.database.snapshot() as connection:
            return [line.message for line in await JobLogRepository(connection).of_job(job.job_id, 0, 9)]

    async def deliveries(self, job: Job) -> int:
        async with self.database.snapshot() as connection:
            return len(await DeliveryQueries(connection).of_job(job.job_id))


@pytest.fixture
async def bench(platform, monkeypatch):
    monkeypatch.setattr(batcher, "FIRST_PAUSE_SECONDS", 0.0)
    database = FaultyDatabase(platform.database.url)
    await database.read_clock()
    async with Bench(platform, database).running() as bench:
        yield bench
    await database.close()


@pytest.mark.parametrize("fault", Fault)
async def test_a_save_that_went_wrong_is_made_again_and_told_once(bench, fault):
    await bench.submit()
    job = await bench.claim()
    await bench.save((job, Succeeded(1)), fault=fault)
    assert await bench.events(job) == ["SUCCESS"]
    assert await bench.deliveries(job) == 1
    assert bench.said == [JobTransitioned, NotificationIntended]


async def test_it_is_told_even_when_a_cancel_came_between(bench):
    await bench.submit()
    job = await bench.claim()
    async with bench.database.transaction() as connection:
        await JobRepository(connection).request_cancel([job.job_id], bench.database.clock.now())
    await bench.save((job, FAILURE), fault=Fault.AFTER_COMMIT)
    assert await bench.events(job) == ["CANCELLED"]
    assert bench.said == [JobTransitioned, NotificationIntended]


async def test_the_like_of_it_written_by_somebody_else_is_not_taken_for_ours(bench):
    await bench.submit()
    job = await bench.claim()
    await bench.save((job, LOST))
    bench.said.clear()
    await bench.save((job, FAILURE))
    assert await bench.events(job) == ["RETRY"]
    assert bench.said == [TransitionRefused]


async def test_two_claims_of_one_job_are_told_apart_in_one_batch(bench):
    await bench.submit()
    stale = await bench.claim()
    await bench.save((stale, LOST))
    newer = await bench.claim()
    bench.said.clear()
    await bench.save((stale, Succeeded("late")), (newer, FAILURE))
    assert await bench.events(newer) == ["RETRY", "RETRY"]
    assert bench.said == [JobTransitioned, TransitionRefused]


async def test_a_claim_that_ends_twice_in_one_batch_ends_once(bench):
    await bench.submit()
    job = await bench.claim()
    await bench.save((job, Succeeded("first")), (job, FAILURE))
    assert await bench.events(job) == ["SUCCESS"]
    assert bench.said == [JobTransitioned, NotificationIntended]


async def test_files_are_kept_whatever_the_save_heard(bench):
    await bench.submit()
    job = await bench.claim()
    now = bench.database.clock.now()
    file = File(file_id=uuid7(), name="a", content_type="text/csv", size_bytes=1, sha256="0" * 64, created_at=now)
    await bench.save((job, Succeeded(1)), fault=Fault.AFTER_COMMIT, files=[file])
    async with bench.database.snapshot() as connection:
        assert [kept for kept, _ in await FileRepository(connection).of_job(job.job_id)] == [file]


@pytest.mark.parametrize("fault", Fault)
async def test_what_an_attempt_said_last_is_kept_once_whatever_the_save_heard(bench, fault):
    await bench.submit()
    job = await bench.claim()
    await bench.save((job, Succeeded(1)), fault=fault, log=bench.log(job, "done"))
    assert await bench.logged(job) == ["done"]


async def test_whoever_lost_the_job_says_nothing(bench):
    await bench.submit()
    stale = await bench.claim()
    await bench.save((stale, LOST))
    newer = await bench.claim()
    await bench.save((stale, Succeeded("late")), log=bench.log(stale, "from the past"))
    await bench.save((newer, Succeeded(1)), log=bench.log(newer, "done"))
    assert await bench.logged(newer) == ["done"]


async def test_a_success_that_is_refused_tells_nobody(bench):
    await bench.submit()
    stale = await bench.claim()
    await bench.save((stale, LOST))
    newer = await bench.claim()
    await bench.save((stale, Succeeded("late")))
    assert await bench.events(newer) == ["RETRY"]
    assert await bench.deliveries(newer) == 0


async def test_a_job_does_not_suffer_for_a_delivery_that_is_there_already(bench):
    await bench.submit()
    job = await bench.claim()
    async with bench.database.transaction() as connection:
        await connection.execute(ALREADY_TOLD, {"delivery_id": uuid7(), "job_id": job.job_id})
    await bench.save((job, Succeeded(1)))
    assert await bench.events(job) == ["SUCCESS"]
    assert await bench.deliveries(job) == 1
