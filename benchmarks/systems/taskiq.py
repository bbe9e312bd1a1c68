"""Taskiq on Redis with uvloop and its own limits. The variant is the broker.

``list`` forgets a job when a worker takes it; ``stream`` has it acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from redis.asyncio import Redis
from taskiq import TaskiqEvents, TaskiqState
from taskiq.cli.worker.args import WorkerArgs
from taskiq.cli.worker.run import start_listen
from taskiq_redis import ListQueueBroker, RedisStreamBroker

from benchmarks.systems import shared

QUEUE = "taskiq"

broker = (RedisStreamBroker if shared.VARIANT == "stream" else ListQueueBroker)(shared.URL, queue_name=QUEUE)


@broker.task(task_name="noop")
async def noop(payload: dict[str, Any]) -> None:
    shared.handled(payload)


async def prepare() -> None:
    async with Redis.from_url(shared.URL) as client:
        await client.flushdb()
    await broker.startup()  # a stream's group must be there before its first job
    await broker.shutdown()
    shared.say()


async def fill(count: int, batch: int) -> None:
    await broker.startup()
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        await asyncio.gather(*(noop.kiq(payload) for payload in payloads))
    shared.say(submitted=count, seconds=time.perf_counter() - started)
    await broker.shutdown()


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
def _started(_state: TaskiqState) -> None:
    shared.say(ready=True)


def work() -> None:
    """The worker process of its command line, without the parent that would start several."""
    start_listen(WorkerArgs("benchmarks.systems.taskiq:broker", modules=[], configure_logging=False))


async def left() -> None:
    async with Redis.from_url(shared.URL) as client:
        if shared.VARIANT == "stream":
            (group,) = await client.xinfo_groups(QUEUE)
            shared.say(left=group["lag"] + group["pending"])
        else:
            shared.say(left=await client.llen(QUEUE))


async def ping(count: int, pause_ms: int) -> None:
    await broker.startup()
    for _ in range(count):
        await noop.kiq({"sent_ns": time.monotonic_ns()})
        await asyncio.sleep(pause_ms / 1000)
    await broker.shutdown()
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
