"""pgqueuer: asyncpg, uvloop, vacuuming as it advises. The variant is the size of a batch (its own default: 10)."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import FailingListenerError
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.systems import shared

ENTRYPOINT = "noop"
PROBE_SECONDS = 0.2


async def _driver() -> AsyncpgDriver:
    return AsyncpgDriver(await asyncpg.connect(shared.URL))


async def prepare() -> None:
    driver = await _driver()
    queries = Queries(driver)
    if not await queries.schema_is_installed():
        await queries.install()
        await queries.optimize_autovacuum()
    await driver.execute("TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics")
    shared.say()


async def fill(count: int, batch: int) -> None:
    queries = Queries(await _driver())
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        encoded = [json.dumps(payload).encode() for payload in payloads]
        await queries.enqueue([ENTRYPOINT] * len(encoded), encoded, [0] * len(encoded))
    shared.say(submitted=count, seconds=time.perf_counter() - started)


def work() -> None:
    uvloop.run(_work())


async def _work() -> None:
    queue = PgQueuer(await _driver())

    @queue.entrypoint(ENTRYPOINT)
    async def noop(job: Job) -> None:
        shared.handled(json.loads(job.payload or b"{}"))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
    running = asyncio.create_task(queue.run(batch_size=int(shared.VARIANT or 10)))
    await _listening(queue)
    shared.say(ready=True)
    await running


async def _listening(queue: PgQueuer) -> None:
    """Returns when a notification of our own came back."""
    while True:
        try:
            await queue.qm.listener_healthy(timedelta(seconds=PROBE_SECONDS))
        except FailingListenerError:
            continue
        return


async def left() -> None:
    shared.say(left=sum(one.count for one in await Queries(await _driver()).queue_size()))


async def ping(count: int, pause_ms: int) -> None:
    queries = Queries(await _driver())
    for _ in range(count):
        await queries.enqueue(ENTRYPOINT, json.dumps({"sent_ns": time.monotonic_ns()}).encode())
        await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
