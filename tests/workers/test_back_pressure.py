"""A worker claims no more than it can conclude: what is done and not committed would be done again after a crash."""

import asyncio

from perdure import processor
from perdure.schemas.job import JobCreate
from perdure.signals import JobsClaimed, JobTransitioned
from perdure.workers import worker as module

JOBS, CONCURRENCY, UNSAVED = 200, 5, 5


@processor("test.nothing")
async def nothing(payload: dict) -> None:
    return None


async def test_handlers_do_not_outrun_their_conclusions(worker, platform, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNSAVED", UNSAVED)
    outstanding = [0]
    platform.signals.subscribe(JobsClaimed, lambda claimed: outstanding.append(outstanding[-1] + len(claimed.job_ids)))
    platform.signals.subscribe(JobTransitioned, lambda _step: outstanding.append(outstanding[-1] - 1))
    async with worker(nothing):
        pass  # it has published the type
    jobs = [await platform.commands.submit(JobCreate(job_type="test.nothing")) for _ in range(JOBS)]
    async with worker(nothing, concurrency=CONCURRENCY) as bench:
        await asyncio.wait_for(asyncio.gather(*(bench.finals[job.job_id].wait() for job in jobs)), 20)
    assert outstanding[-1] == 0
    assert max(outstanding) <= CONCURRENCY + UNSAVED
