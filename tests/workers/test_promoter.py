"""What waits for its time starts then, though nobody polls: the promoter sleeps until the next is due."""

import pytest

from perdure.models.lifecycle import JobStatus
from perdure.processors.base import JobContext, processor
from perdure.workers import promoter
from perdure.workers import worker as module


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
