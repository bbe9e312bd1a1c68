"""arq: many jobs at a time in each worker, results kept as it does by default."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from arq.constants import default_queue_name
from arq.worker import Worker, func

from benchmarks.systems import shared

CONCURRENCY = 300
"""Its documentation advises nothing for throughput, and its default of 10 leaves a worker waiting for Redis. (hiredis,
the fast parser, comes with it.)"""

SETTINGS = RedisSettings.from_dsn(shared.URL)


async def noop(_context: dict[str, Any], payload: dict[str, Any]) -> None:
    shared.handled(payload)


@asynccontextmanager
async def _pool() -> AsyncIterator[ArqRedis]:
    pool = await create_pool(SETTINGS)
    yield pool
    await pool.aclose()


async def prepare() -> None:
    async with _pool() as pool:
        await pool.flushdb()
    shared.say()


async def fill(count: int, batch: int) -> None:
    async with _pool() as pool:
        started = time.perf_counter()
        for payloads in shared.batches(count, batch):
            await asyncio.gather(*(pool.enqueue_job("noop", payload) for payload in payloads))
        shared.say(submitted=count, seconds=time.perf_counter() - started)


async def _started(_context: dict[str, Any]) -> None:
    shared.say(ready=True)


async def work() -> None:
    functions = [func(noop, name="noop")]
    worker = Worker(functions, redis_settings=SETTINGS, max_jobs=CONCURRENCY, on_startup=_started, log_results=False)
    try:
        await worker.async_run()
    finally:
        await worker.close()


async def left() -> None:
    async with _pool() as pool:
        shared.say(left=await pool.zcard(default_queue_name))


async def ping(count: int, pause_ms: int) -> None:
    async with _pool() as pool:
        for _ in range(count):
            await pool.enqueue_job("noop", {"sent_ns": time.monotonic_ns()})
            await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
