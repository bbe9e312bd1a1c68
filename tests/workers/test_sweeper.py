"""A sweeper sleeps until the first lease would lapse, and no longer: what ran under it is given on at once."""

import asyncio

from tests.repositories.test_job_repository import a_job, a_worker, add, claim

from perdure.signals import JobsRescued
from perdure.workers.sweeper import Sweeper


async def test_jobs_are_rescued_as_their_lease_lapses_though_the_sweepers_turn_is_far(platform, signals):
    database = platform.database
    sweeper = Sweeper(database, signals, platform.wakeup, platform.recorder, lease_seconds=600)
    assert await sweeper.tick() == 200.0, "nobody has a lease that could lapse"
    job = a_job(database)
    await add(database, job)
    await claim(database, await a_worker(database, lease_seconds=1.0))
    rescued = asyncio.create_task(signals.wait_for(JobsRescued))
    running = asyncio.create_task(sweeper.run())
    assert (await asyncio.wait_for(rescued, 10)).job_ids == (job.job_id,)
    sweeper.stop()
    await running
