"""Dramatiq on Redis: a worker of its default eight threads, its default middleware, no results."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks.systems import shared

MESSAGES = "dramatiq:default.msgs"
"""What is enqueued or being worked on."""

broker = RedisBroker(url=shared.URL)
dramatiq.set_broker(broker)
_counting = threading.Lock()


@dramatiq.actor(actor_name="noop")
def noop(payload: dict[str, Any]) -> None:
    with _counting:  # the threads share the slot of their process
        shared.handled(payload)


def prepare() -> None:
    redis.Redis.from_url(shared.URL).flushdb()
    shared.say()


def fill(count: int, batch: int) -> None:
    started = time.perf_counter()
    for payloads in shared.batches(count, batch):
        dramatiq.group([noop.message(payload) for payload in payloads]).run()
    shared.say(submitted=count, seconds=time.perf_counter() - started)


def work() -> None:
    """The worker process of its command line, without the parent that would start several."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # in all threads, so that only we wait for it
    worker = dramatiq.Worker(broker)
    worker.start()
    shared.say(ready=True)
    signal.sigwait({signal.SIGTERM})
    worker.stop()


def left() -> None:
    shared.say(left=redis.Redis.from_url(shared.URL).hlen(MESSAGES))


def ping(count: int, pause_ms: int) -> None:
    for _ in range(count):
        noop.send({"sent_ns": time.monotonic_ns()})
        time.sleep(pause_ms / 1000)
    shared.say(submitted=count)


if __name__ == "__main__":
    shared.run({"prepare": prepare, "fill": fill, "work": work, "left": left, "ping": ping})
