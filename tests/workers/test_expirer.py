"""What has not begun by its ``expires_at`` fails then, though nobody polls, and is told once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job, a_worker, add, claim

from perdure.db.wakeup import Topic
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason
from perdure.processors.base import JobContext, processor
from perdure.repositories.expiring_jobs import ExpiringJobs
from perdure.repositories.job_repository import JobRepository
from perdure.signals import JobTransitioned
from perdure.workers import expirer

TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
HOUR = timedelta(hours=1)


@processor("test.fail")
async def fail(payload: dict, ctx: JobContext) -> None:
    raise ValueError("no luck")


@pytest.fixture(autouse=True)
def unpolled(monkeypatch):
    """Nobody looks by himself within the time that a test waits."""
    monkeypatch.setattr(expirer, "POLL_SECONDS", 600.0)


async def age(platform) -> None:
    """Lets the time of every job be over."""
    async with platform.database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.jobs SET expires_at = clock_timestamp()"))


async def test_a_job_expires_in_time_though_the_loop_slept_for_a_later_one(worker, platform):
    async with worker(fail, queues=("default",)) as bench:
        now = platform.database.clock.now()
        await bench.submit("test.fail", queue="nobodys", expires_at=now + HOUR)
        soon = platform.database.clock.now() + timedelta(seconds=1)
        ended = await bench.run("test.fail", queue="nobodys", expires_at=soon, **TOLD)
        assert (ended.status, ended.error.reason, ended.attempt) == (JobStatus.FAILED, ErrorReason.EXPIRED, 0)
        assert ended.finished_at >= soon
        assert [one.event for one in await bench.deliveries(ended.job_id)] == ["FAILURE"]


async def test_what_waits_for_its_back_off_expires_with_the_attempts_it_had(worker, platform, signals):
    async with worker(fail) as bench:
        retried = asyncio.create_task(signals.wait_for(JobTransitioned))
        expires_at = platform.database.clock.now() + HOUR
        job = await bench.submit("test.fail", retry={"base_seconds": 300}, expires_at=expires_at, **TOLD)
        assert (await asyncio.wait_for(retried, 20)).event == "RETRY"
        await age(platform)
        platform.wakeup.ring(Topic.JOBS_EXPIRING)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        ended = await bench.get(job.job_id)
        assert (ended.status, ended.error.reason, ended.attempt) == (JobStatus.FAILED, ErrorReason.EXPIRED, 1)
        assert [one.event for one in await bench.deliveries(job.job_id)] == ["FAILURE"]


async def test_a_running_attempt_goes_on_and_a_retry_on_request_expires_no_more(worker, platform):
    @processor("test.slow")
    async def slow(payload: dict, ctx: JobContext) -> str:
        await age(platform)
        return "late"

    async with worker(slow) as bench:
        job = await bench.run("test.slow", expires_at=platform.database.clock.now() + HOUR)
        assert (job.status, job.result) == (JobStatus.SUCCEEDED, "late")
        bench.finals[job.job_id].clear()
        again = await platform.commands.retry(job.job_id)
        assert again.expires_at is None
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)


async def test_of_a_claim_and_an_expiry_one_wins(any_database):
    database = any_database
    now = database.clock.now()
    over, in_time = a_job(database, expires_at=now - HOUR), a_job(database, expires_at=now + HOUR)
    await add(database, over, in_time)
    worker_id = await a_worker(database)
    async with database.transaction() as connection:
        [locked] = await ExpiringJobs(connection).lock_expired(10)
        assert locked.job_id == over.job_id
        [claimed] = await claim(database, worker_id)
        assert claimed.job_id == in_time.job_id, "a claim takes nothing whose time is over, and waits for nobody"
        async with database.transaction() as other:
            assert await ExpiringJobs(other).lock_expired(10) == [], "each is failed by one"
    async with database.transaction() as connection:
        assert await JobRepository(connection).apply([in_time.expire(now)]) == [], "it runs by now"
