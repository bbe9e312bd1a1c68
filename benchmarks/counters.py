"""How fast work is done: counters that the workers raise, sampled from outside, judged in their steady state."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.systems.shared import SLOT_BYTES, SLOTS

SAMPLE_SECONDS = 0.02
WARM_UP_SHARE = 0.1
"""The first tenth of the jobs is not judged: processes fall in, caches fill."""
COOL_DOWN_SHARE = 0.95
JUDGED_SHARE = COOL_DOWN_SHARE - WARM_UP_SHARE


class Counters:
    """The file of counters that worker processes share with us."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(SLOTS * SLOT_BYTES))
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)

    def total(self) -> int:
        return sum(struct.unpack(f"<{SLOTS}Q", self._map))

    def reset(self) -> None:
        self._map[:] = bytes(SLOTS * SLOT_BYTES)

    def watch(self, until: int, timeout_seconds: float, failed: Callable[[], str | None]) -> list[tuple[float, int]]:
        """(time, total) from now until ``until`` jobs are done. Raises ``TimeoutError`` when they are not, in time."""
        deadline = time.monotonic() + timeout_seconds
        curve = [(time.monotonic(), 0)]  # the workers may have begun, but just now
        while curve[-1][1] < until:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {curve[-1][1]:,} of {until:,} jobs were done in {timeout_seconds:.0f} s")
            if (why := failed()) is not None:
                raise RuntimeError(why)
            time.sleep(SAMPLE_SECONDS)
            curve.append((time.monotonic(), self.total()))
        return curve


def steady_rate(curve: list[tuple[float, int]], count: int) -> float:
    """Jobs a second between the first tenth and the last twentieth of ``count``."""
    return rate_between(curve, WARM_UP_SHARE * count, COOL_DOWN_SHARE * count)


def rate_between(curve: list[tuple[float, int]], first: float, last: float) -> float:
    """Jobs a second from when ``first`` were done to when ``last`` were; of all, where the samples do not tell those
    apart: on a busy machine most of a short work may fall between two of them.
    """
    start, before = next(point for point in curve if point[1] >= first)
    end, after = next(point for point in curve if point[1] >= last)
    if end <= start or after - before < (last - first) / 2:
        (start, before), (end, after) = curve[0], curve[-1]
    return (after - before) / (end - start)
