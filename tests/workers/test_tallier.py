"""What a process sees is written down once, whatever comes between."""

import pytest

from perdure.errors import Unavailable
from perdure.processors.base import processor
from perdure.repositories.statistics_queries import StatisticsQueries
from perdure.workers.tallier import Tallier

QUICKLY = {"base_seconds": 0.01, "max_seconds": 0.02}


@processor("test.sum")
async def add(payload: dict) -> None:
    return None


@processor("test.fail")
async def fail(payload: dict) -> None:
    raise ValueError("no luck")


async def last_minute(platform):
    async with platform.database.snapshot() as connection:
        return (await StatisticsQueries(connection).read()).last_minute


async def test_what_a_process_did_is_written_down_by_its_end(worker, platform):
    async with worker(add, fail) as bench:
        await bench.run("test.sum")
        await bench.run("test.fail", max_retries=1, retry=QUICKLY)
        waiting = await bench.submit("test.sum", delay_seconds=3600)
        await platform.commands.cancel(waiting.job_id)
    done = await last_minute(platform)
    assert (done.submitted, done.succeeded, done.failed, done.retried, done.cancelled) == (3, 1, 1, 1, 1)
    assert done.mean_wait_seconds >= 0
    assert done.mean_duration_seconds >= 0


async def test_counts_outlive_a_database_that_is_away(worker, platform):
    tallier = Tallier(platform.database, platform.signals)
    async with worker(add) as bench:
        await bench.run("test.sum")
    url = platform.database.url
    await platform.database.engine.dispose()
    platform.database.url = url.parse("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await tallier.save()
    platform.database.url = url
    before = await last_minute(platform)
    await tallier.save()
    await tallier.save()
    after = await last_minute(platform)
    assert (after.submitted - before.submitted, after.succeeded - before.succeeded) == (1, 1)
