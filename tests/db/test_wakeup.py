import asyncio

import asyncpg

from perdure.db.wakeup import CHANNEL, Topic, Wakeup


async def test_what_was_rung_just_before_the_end_still_reaches_the_others(database):
    """A process that ends within the interval of its last ring must not leave the others to their poll."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(database.url.asyncpg)
    try:
        await listener.add_listener(CHANNEL, lambda _connection, _process, _channel, topic: heard.put_nowait(topic))
        wakeup = Wakeup(database.url)
        running = asyncio.create_task(wakeup.run())
        wakeup.ring(Topic.DELIVERIES)
        assert await asyncio.wait_for(heard.get(), 5) == "deliveries"

        wakeup.ring(Topic.JOBS_READY)  # within the interval: it would go out with the next
        running.cancel()
        await asyncio.wait([running])

        assert await asyncio.wait_for(heard.get(), 5) == "jobs_ready"
    finally:
        await listener.close()
