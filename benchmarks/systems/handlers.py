"""Perdure's processors of the benchmark: the same no-op as everywhere, and one that takes a while."""

from __future__ import annotations

import asyncio
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
    await asyncio.sleep(0.001)
    slot().handled(payload)
