"""A worker's own view of its lease: it stops by its own clock, whatever it hears, before anybody else may begin."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from tests.faulty_database import Fault, FaultyDatabase

from perdure.errors import Unavailable
from perdure.workers.lease import LeaseKeeper
from perdure.workers.lease_page import LeasePage

LEASE_SECONDS = 1.0


class Keeper:
    """A keeper whose loop never runs, so that nothing but its clock can tell it; and when it gave up."""

    def __init__(self, database, signals, wakeup):
        self.page = LeasePage()
        self.page.attended_at = time.monotonic()
        self.lost = asyncio.Event()
        self.lease = LeaseKeeper(
            database,
            signals,
            wakeup,
            self.page,
            lease_seconds=LEASE_SECONDS,
            queues=(),
            processors=(),
            concurrency=1,
            sees_files=lambda: False,
            on_lost=self.lost.set,
            on_cancel=lambda _: None,
        )


@pytest.fixture
async def database(database) -> AsyncIterator[FaultyDatabase]:
    faulty = FaultyDatabase(database.url)
    yield faulty
    await faulty.close()


@pytest.fixture
def keeper(database, signals, platform):
    return Keeper(database, signals, platform.wakeup)


async def seconds_left(database, worker_id):
    """Of the lease, by the clock of the database, which is that of whoever would take the jobs."""
    query = "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM perdure.workers WHERE worker_id = :worker"
    async with database.snapshot() as connection:
        return (await connection.execute(text(query), {"worker": worker_id})).scalar_one()


async def test_work_stops_before_a_lease_that_nobody_renews_can_be_taken(database, keeper):
    began = time.monotonic()
    worker_id = await keeper.lease.begin()
    assert keeper.lease.worker_id == worker_id
    await asyncio.wait_for(keeper.lost.wait(), 10)
    assert keeper.lease.worker_id is None
    assert time.monotonic() - began > 0.8 * LEASE_SECONDS, "it worked as long as it might"
    assert await seconds_left(database, worker_id) > 0


async def test_it_claims_nothing_from_then_on_though_the_timer_comes_late(keeper):
    """As where a processor blocks the loop."""
    await keeper.lease.begin()
    time.sleep(LEASE_SECONDS)  # noqa: ASYNC251 (that is what is tested)
    assert (keeper.lease.worker_id, keeper.lost.is_set()) == (None, False)


async def test_a_renewal_counts_for_as_long_as_the_renewer_wrote_and_no_longer(keeper):
    worker_id = await keeper.lease.begin()
    good_until = time.monotonic() + 2 * LEASE_SECONDS
    keeper.page.renew(worker_id, good_until)
    await asyncio.wait_for(keeper.lost.wait(), 10)
    assert LEASE_SECONDS < time.monotonic() - good_until + 2 * LEASE_SECONDS < 2 * LEASE_SECONDS


async def test_a_lease_counts_from_before_it_was_asked_for(database, keeper):
    database.answers_after_seconds = 0.4 * LEASE_SECONDS
    worker_id = await keeper.lease.begin()
    await asyncio.wait_for(keeper.lost.wait(), 10)
    assert await seconds_left(database, worker_id) > 0


async def test_a_lease_whose_taking_got_no_answer_is_nobodys(database, keeper):
    database.fault = Fault.AFTER_COMMIT
    with pytest.raises(Unavailable):
        await keeper.lease.begin()
    assert (keeper.lease.worker_id, keeper.page.worker_id) == (None, None)


async def test_no_lease_is_taken_anew_before_its_renewer_has_looked_again(keeper):
    await keeper.lease.begin()
    await asyncio.wait_for(keeper.lost.wait(), 10)
    await keeper.lease.tick()
    assert keeper.lease.worker_id is None, "it would only be lost once more"
    keeper.page.attended_at = time.monotonic()
    await keeper.lease.tick()
    assert keeper.lease.worker_id is not None
