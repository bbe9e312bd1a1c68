"""Perdure's processors of the benchmark: the same no-op as everywhere, and one that takes a while."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from benchmarks.systems.shared import Slot
from perdure import processor


@cache
def slot() -> Slot:
    return Slot()


@processor("bench.noop")
async def noop(payload: dict[str, Any]) -> None:
    slot().handled(payload)


@processor("bench.millisecond")
async def millisecond(payload: dict[str, Any]) -> None:
    """Keeps the CPU busy for a millisecond: what a worker does besides is then taken from nobody else's time."""
    until = time.perf_counter() + 0.001
    while time.perf_counter() < until:
        pass
    slot().handled(payload)
