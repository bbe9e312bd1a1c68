"""Huey on Redis: one thread a worker process (its default), results off, since nobody reads them."""

from __future__ import annotations

import time
from typing import Any

from huey import RedisHuey

from benchmarks.systems import shared

huey = RedisHuey("bench", url=shared.URL, results=False)


@huey.task(name="noop")
def noop(payload: dict[str, Any]) -> None:
    shared.handled(payload)


def prepare() -> None:
    huey.storage.conn.flushdb()
    shared.say()


def fill(count: int, batch: int) -> None:
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        noop.map([(payload,) for payload in payloads])  # one command a job: there is nothing faster
    shared.say(submitted=count, seconds=time.perf_counter() - started)


@huey.on_startup()
def _started() -> None:
    shared.say(ready=True)


def work() -> None:
    huey.create_consumer(workers=1, graceful_signal="TERM").run()


def left() -> None:
    shared.say(left=huey.pending_count() + huey.scheduled_count())


def ping(count: int, pause_ms: int) -> None:
    for _ in range(count):
        noop({"sent_ns": time.monotonic_ns()})
        time.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
