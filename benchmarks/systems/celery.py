"""Celery on Redis, tuned for many short tasks: a high prefetch, no results, no gossip. The variant is the pool.

``prefork`` has one child a worker, since the controller starts the workers; ``solo`` runs tasks where it receives them.
"""

from __future__ import annotations

import time
from typing import Any

import redis
from celery import Celery
from celery.signals import worker_ready

from benchmarks.systems import shared

QUEUE, UNACKNOWLEDGED = "celery", "unacked"

app = Celery("bench", broker=shared.URL)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=128, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(payload: dict[str, Any]) -> None:
    shared.handled(payload)


def prepare() -> None:
    redis.Redis.from_url(shared.URL).flushdb()
    shared.say()


def fill(count: int, batch: int) -> None:
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        with app.producer_pool.acquire(block=True) as producer:  # what a group does too; there is no bulk command
            for payload in payloads:
                noop.apply_async((payload,), producer=producer)
    shared.say(submitted=count, seconds=time.perf_counter() - started)


@worker_ready.connect
def _listening(**_: Any) -> None:
    shared.say(ready=True)


def work() -> None:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")
    app.worker_main(["worker", f"--pool={shared.VARIANT or 'prefork'}", "--concurrency=1", *quiet])


def left() -> None:
    client = redis.Redis.from_url(shared.URL)
    shared.say(left=client.llen(QUEUE) + client.hlen(UNACKNOWLEDGED))


def ping(count: int, pause_ms: int) -> None:
    for _ in range(count):
        noop.delay({"sent_ns": time.monotonic_ns()})
        time.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
