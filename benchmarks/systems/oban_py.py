"""oban-py with uvloop, as its command line runs it; many jobs at a time in each worker."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from oban import Job, Oban, worker
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

from benchmarks.systems import shared

CONCURRENCY = 200
"""It claims and acknowledges at most so many at once. Its pool stays at ten connections: enough for most, says its
guide to production, whatever the number of jobs, for a job holds none while it runs."""


@worker(queue="default")
class Noop:
    async def process(self, job: Job) -> None:
        shared.handled(job.args)


@asynccontextmanager
async def _pool() -> AsyncIterator[AsyncConnectionPool]:
    pool = await Oban.create_pool(shared.URL)
    yield pool
    await pool.close()


async def prepare() -> None:
    async with _pool() as pool, pool.connection() as connection:
        if (await (await connection.execute("SELECT to_regclass('oban_jobs')")).fetchone())[0] is None:
            await install(pool)
        await connection.execute("TRUNCATE oban_jobs")
    shared.say()


async def fill(count: int, batch: int) -> None:
    async with _pool() as pool, Oban(pool=pool) as oban:
        started = time.perf_counter()
        for payloads in shared.batches(count, batch):
            await oban.enqueue_many([Noop.new(payload) for payload in payloads])
        shared.say(submitted=count, seconds=time.perf_counter() - started)


def work() -> None:
    uvloop.run(_work())


async def _work() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with _pool() as pool, Oban(pool=pool, queues={"default": CONCURRENCY}):
        shared.say(ready=True)
        await stopped.wait()


async def left() -> None:
    async with _pool() as pool, pool.connection() as connection:
        waiting = "SELECT count(*) FROM oban_jobs WHERE state NOT IN ('completed', 'cancelled', 'discarded')"
        shared.say(left=(await (await connection.execute(waiting)).fetchone())[0])


async def ping(count: int, pause_ms: int) -> None:
    async with _pool() as pool, Oban(pool=pool) as oban:
        for _ in range(count):
            await oban.enqueue(Noop.new({"sent_ns": time.monotonic_ns()}))
            await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
