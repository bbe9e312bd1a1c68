"""RQ, results kept as it does by default. The variant is the worker: ``fork``, its default, or ``simple``."""

from __future__ import annotations

import time
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker, Worker

from benchmarks.systems import shared

FUNCTION = "benchmarks.systems.rq.noop"

client = Redis.from_url(shared.URL)
queue = Queue("bench", connection=client)


def noop(payload: dict[str, Any]) -> None:
    shared.handled(payload)


def prepare() -> None:
    client.flushdb()
    shared.say()


def fill(count: int, batch: int) -> None:
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        if batch == 1:
            queue.enqueue(FUNCTION, payloads[0])
        else:
            queue.enqueue_many([Queue.prepare_data(FUNCTION, (payload,)) for payload in payloads])
    shared.say(submitted=count, seconds=time.perf_counter() - started)


def work() -> None:
    worker = (SimpleWorker if shared.VARIANT == "simple" else Worker)([queue], connection=client)
    shared.say(ready=True)
    worker.work(logging_level="WARNING")


def left() -> None:
    shared.say(left=len(queue) + queue.started_job_registry.count)


def ping(count: int, pause_ms: int) -> None:
    for _ in range(count):
        queue.enqueue(FUNCTION, {"sent_ns": time.monotonic_ns()})
        time.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
