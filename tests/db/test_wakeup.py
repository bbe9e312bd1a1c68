import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from perdure.db import wakeup as module
from perdure.db.session import Database
from perdure.db.wakeup import CHANNEL, Topic, Wakeup


@pytest.fixture
async def heard(database: Database) -> AsyncIterator[asyncio.Queue[str]]:
    """What other processes hear."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database.url.asyncpg)
    try:
        await listener.add_listener(CHANNEL, lambda _connection, _process, _channel, topic: queue.put_nowait(topic))
        yield queue
    finally:
        await listener.close()


async def test_many_rings_are_few_notifications(database, heard, monkeypatch):
    monkeypatch.setattr(module, "RING_INTERVAL_SECONDS", 0.1)
    wakeup = Wakeup(database.url)
    running = asyncio.create_task(wakeup.run())
    wakeup.ring(Topic.JOBS_READY)
    assert await asyncio.wait_for(heard.get(), 5) == "jobs_ready"
    for _ in range(1_000):  # a ring after each of so many commits
        wakeup.ring(Topic.JOBS_READY, Topic.JOBS_WAITING)
        await asyncio.sleep(0)
    wakeup.ring(Topic.DELIVERIES)
    said = []
    while set(said) != {"jobs_ready", "jobs_waiting", "deliveries"}:
        said.append(await asyncio.wait_for(heard.get(), 5))
    running.cancel()
    assert len(said) <= 20, "one an interval, not one a commit"


async def test_what_was_rung_just_before_the_end_still_reaches_the_others(database, heard):
    """A process that ends within the interval of its last ring must not leave the others to their poll."""
    wakeup = Wakeup(database.url)
    running = asyncio.create_task(wakeup.run())
    wakeup.ring(Topic.DELIVERIES)
    assert await asyncio.wait_for(heard.get(), 5) == "deliveries"

    wakeup.ring(Topic.JOBS_READY)  # within the interval: it would go out with the next
    running.cancel()
    await asyncio.wait([running])

    assert await asyncio.wait_for(heard.get(), 5) == "jobs_ready"


async def test_to_ring_for_nothing_asks_nothing_of_the_database(database):
    """Loops that found nothing to do ring for it: an idle process would send one empty statement a second."""
    wakeup = Wakeup(database.url)
    wakeup.ring()
    assert not wakeup._something_to_ring.is_set()
