"""procrastinate: an asynchronous task, several at a time in each worker, its pool of psycopg connections."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from procrastinate import App, PsycopgConnector

from benchmarks.systems import shared

CONCURRENCY = 30
"""As in its guide to concurrency, which also advises several processes: the controller starts them. (Measured: 5 and 30
make no difference, since each job is fetched by itself.)"""

# "The shorter your average job execution time, the more your pool will need to contain as many connections as your
# concurrency (plus one)", says its documentation of pool sizes.
app = App(connector=PsycopgConnector(conninfo=shared.URL, max_size=CONCURRENCY + 1))


@app.task(name="noop")
async def noop(**payload: Any) -> None:
    shared.handled(payload)


async def prepare() -> None:
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await app.connector.execute_query_async("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    shared.say()


async def fill(count: int, batch: int) -> None:
    async with app.open_async():
        started = time.perf_counter()
        for payloads in shared.batches(count, batch):
            await noop.batch_defer_async(*payloads)
        shared.say(submitted=count, seconds=time.perf_counter() - started)


async def work() -> None:
    async with app.open_async():
        shared.say(ready=True)
        await app.run_worker_async(concurrency=CONCURRENCY)


async def left() -> None:
    async with app.open_async():
        waiting = "SELECT count(*) AS waiting FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        shared.say(left=(await app.connector.execute_query_one_async(waiting))["waiting"])


async def ping(count: int, pause_ms: int) -> None:
    async with app.open_async():
        for _ in range(count):
            await noop.defer_async(sent_ns=time.monotonic_ns())
            await asyncio.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
