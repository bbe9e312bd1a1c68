"""SAQ on Redis with hiredis: its own limits, results kept as it does by default."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue, Worker

from benchmarks.systems import shared

SWEEP_LOCK_SECONDS = 3600
"""So long its sweeper rests, which may have a job that was claimed just now run twice (its issue 277)."""


async def noop(_context: dict[str, Any], *, payload: dict[str, Any]) -> None:
    shared.handled(payload)


@asynccontextmanager
async def _queue() -> AsyncIterator[Queue]:
    queue = Queue.from_url(shared.URL)
    await queue.connect()
    yield queue
    await queue.disconnect()


async def prepare() -> None:
    async with _queue() as queue:
        await queue.redis.flushdb()
        await queue.sweep(SWEEP_LOCK_SECONDS)
    shared.say()


async def fill(count: int, batch: int) -> None:
    async with _queue() as queue:
        started = time.perf_counter()
        for payloads in shared.batches(count, batch):
            await asyncio.gather(*(queue.enqueue("noop", payload=payload) for payload in payloads))
        shared.say(submitted=count, seconds=time.perf_counter() - started)


async def _started(_context: dict[str, Any]) -> None:
    shared.say(ready=True)


async def work() -> None:
    async with _queue() as queue:
        await Worker(queue, functions=[noop], startup=_started).start()


async def left() -> None:
    async with _queue() as queue:
        shared.say(left=await queue.count("incomplete"))


async def ping(count: int, pause_ms: int) -> None:
    async with _queue() as queue:
        for _ in range(count):
            await queue.enqueue("noop", payload={"sent_ns": time.monotonic_ns()})
            await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
