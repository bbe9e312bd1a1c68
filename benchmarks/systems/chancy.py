"""Chancy: its asynchronous executor, many jobs at a time in each worker, asking for more as soon as one is done."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chancy import Chancy, Job, Queue, Worker

from benchmarks.systems import shared

CONCURRENCY = 200
"""It claims at most so many at once. Its documentation advises no number for throughput; of eager polling it says that
it helps where jobs are continuously available, as they are here. Outcomes go out once a second, as by default: no slot
waits for them."""
FUNCTION = "benchmarks.systems.chancy.noop"


async def noop(**payload: Any) -> None:
    shared.handled(payload)


def _job(payload: dict[str, int]) -> Job:
    return Job(func=FUNCTION, kwargs=payload)


async def prepare() -> None:
    async with Chancy(shared.URL) as chancy:
        await chancy.migrate()
        queue = Queue("default", concurrency=CONCURRENCY, executor=Chancy.Executor.Async, eager_polling=True)
        await chancy.declare(queue, upsert=True)
        async with chancy.pool.connection() as connection:
            await connection.execute("TRUNCATE chancy_jobs, chancy_workers")
    shared.say()


async def fill(count: int, batch: int) -> None:
    async with Chancy(shared.URL) as chancy:
        started = time.perf_counter()
        for payloads in shared.batches(count, batch):
            async for _references in chancy.push_many([_job(payload) for payload in payloads]):
                pass
        shared.say(submitted=count, seconds=time.perf_counter() - started)


async def work() -> None:
    async with Chancy(shared.URL) as chancy, Worker(chancy) as worker:
        shared.say(ready=True)
        await worker.wait_for_shutdown()


async def left() -> None:
    async with Chancy(shared.URL) as chancy, chancy.pool.connection() as connection:
        waiting = "SELECT count(*) FROM chancy_jobs WHERE state NOT IN ('succeeded', 'failed')"
        shared.say(left=(await (await connection.execute(waiting)).fetchone())[0])


async def ping(count: int, pause_ms: int) -> None:
    async with Chancy(shared.URL) as chancy:
        for _ in range(count):
            await chancy.push(_job({"sent_ns": time.monotonic_ns()}))
            await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
