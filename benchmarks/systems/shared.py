"""What the scripts of all systems share. Standard library alone: it runs in each peer's own environment.

A script is run with ``BENCH_URL`` (its database or Redis), ``BENCH_COUNTERS`` (a file of 64 counters, one slot a
worker process: ``BENCH_SLOT``), ``BENCH_LATENCIES`` (where the handler notes how long a job took to start) and
``BENCH_VARIANT``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import mmap
import os
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

SLOTS = 64
SLOT_BYTES = 8

URL = os.environ.get("BENCH_URL", "")
VARIANT = os.environ.get("BENCH_VARIANT", "")


class Slot:
    """The counter of this process. It alone writes it, so no lock is needed."""

    def __init__(self, number: int | None = None) -> None:
        slot = int(os.environ["BENCH_SLOT"]) if number is None else number
        self._offset = slot * SLOT_BYTES
        with Path(os.environ["BENCH_COUNTERS"]).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)
        self._count = struct.unpack_from("<Q", self._map, self._offset)[0]
        path = os.environ.get("BENCH_LATENCIES")
        self._latencies = None if not path else Path(path).open("a", buffering=1)  # noqa: SIM115 (as long as we live)

    def handled(self, payload: Mapping[str, Any]) -> None:
        """What every system's handler does, and all that it does."""
        self._count += 1
        struct.pack_into("<Q", self._map, self._offset, self._count)
        if self._latencies is not None and "sent_ns" in payload:
            self._latencies.write(f"{time.monotonic_ns() - payload['sent_ns']}\n")


@cache
def _own_slot() -> Slot:
    return Slot()


def handled(payload: Mapping[str, Any]) -> None:
    """The same for handlers that cannot be handed a slot: the process gets its own with the first job."""
    _own_slot().handled(payload)


def batches(count: int, batch: int) -> Iterator[list[dict[str, int]]]:
    """The payloads of ``count`` jobs, ``batch`` at a time."""
    for first in range(0, count, batch):
        yield [{"n": number} for number in range(first, min(first + batch, count))]


def say(**values: Any) -> None:
    """One line of JSON for the controller."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def run(commands: Mapping[str, Callable[..., None]]) -> None:
    """Runs ``COMMAND NUMBER…`` of the command line; a coroutine function in an event loop."""
    name, *numbers = sys.argv[1:]
    done = commands[name](*map(int, numbers))
    if inspect.isawaitable(done):
        asyncio.run(_finished(done))


async def _finished(done: Awaitable[None]) -> None:
    await done
