"""What waits for its time starts then, though nobody polls: the promoter sleeps until the next is due."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job, add

from perdure.models.lifecycle import JobStatus
from perdure.processors.base import JobContext, processor
from perdure.workers import promoter
from perdure.workers import worker as module
from perdure.workers.promoter import Promoter


@processor("test.plain")
async def plain(payload: dict, ctx: JobContext) -> int:
    return ctx.attempt


@pytest.fixture
def unpolled(monkeypatch):
    """Nobody looks by himself within the time that a test waits."""
    monkeypatch.setattr(promoter, "POLL_SECONDS", 600.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 600.0)


@pytest.mark.usefixtures("unpolled")
async def test_a_job_starts_when_it_is_due_though_the_promoter_slept_for_a_later_one(worker):
    async with worker(plain) as bench:
        later = await bench.submit("test.plain", delay_seconds=300)
        sooner = await bench.run("test.plain", delay_seconds=0.2)
        assert (await bench.get(later.job_id)).status is JobStatus.SCHEDULED
    assert sooner.run_at <= sooner.started_at


async def test_it_takes_a_batch_at_a_time_and_then_sleeps_until_the_next_is_due(platform, signals, monkeypatch):
    monkeypatch.setattr(promoter, "BATCH", 2)
    database = platform.database
    loop = Promoter(database, signals, platform.wakeup)
    assert await loop.tick() == promoter.POLL_SECONDS, "nothing waits"
    soon, later = (database.clock.now() + timedelta(seconds=seconds) for seconds in (0.2, 9))
    await add(database, *(a_job(database, run_at=run_at) for run_at in (soon, soon, soon, later)))
    async with database.snapshot() as connection:
        await connection.execute(text("SELECT pg_sleep_until(:due)"), {"due": soon})
    assert await loop.tick() < 0.1, "there is more"
    assert 1 < await loop.tick() <= 9
    async with database.snapshot() as connection:
        query = text("SELECT status, count(*) FROM perdure.jobs GROUP BY status ORDER BY status")
        assert (await connection.execute(query)).all() == [("QUEUED", 3), ("SCHEDULED", 1)]


@pytest.mark.usefixtures("unpolled")
async def test_a_retry_starts_when_its_back_off_has_passed(worker):
    @processor("test.second")
    async def second(payload: dict, ctx: JobContext) -> int:
        if ctx.attempt == 1:
            raise ValueError("once")
        return ctx.attempt

    async with worker(second) as bench:
        job = await bench.run("test.second", retry={"base_seconds": 0.2, "max_seconds": 0.2})
    assert (job.result, job.attempt) == (2, 2)
    assert job.run_at <= job.started_at
