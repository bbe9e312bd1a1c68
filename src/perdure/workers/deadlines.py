"""Calls whoever's time is up: one heap and one timer for all, since almost every deadline is given up before it comes.

Times are ``time.monotonic()``'s, so that no jump of a wall clock is a time-out.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

MANY_GIVEN_UP = 64
"""So many deadlines that were given up may stay in the heap, or as many as there are others, before it is cleared."""


@dataclass(slots=True, eq=False)
class Deadline:
    """``call`` is called with ``about`` at ``at``; None once it was, or was given up."""

    at: float
    call: Callable[[Any], None] | None
    about: Any


class Deadlines:
    """Belongs to the running loop. ``earliest`` is the next deadline, exactly; None when there is none."""

    def __init__(self) -> None:
        self.earliest: float | None = None
        self.on_change: Callable[[float | None], None] = lambda _earliest: None
        """Called with each new ``earliest``."""
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Deadline]] = []
        self._number = itertools.count()
        self._given_up = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def add(self, at: float, call: Callable[[Any], None], about: Any) -> Deadline:
        """Has ``call`` called with ``about`` at ``at``, once, unless it is removed before."""
        deadline = Deadline(at, call, about)
        heappush(self._heap, (at, next(self._number), deadline))
        if self.earliest is None or at < self.earliest:
            self._look()
        return deadline

    def remove(self, deadline: Deadline) -> None:
        """Gives it up; nothing happens if it was met already."""
        if deadline.call is None:
            return
        deadline.call = deadline.about = None
        self._given_up += 1
        if self._given_up > MANY_GIVEN_UP and self._given_up > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].call is not None]
            heapify(self._heap)
            self._given_up = 0
            self._look()
        elif deadline is self._heap[0][2]:
            self._look()

    def _look(self) -> None:
        heap = self._heap
        while heap and heap[0][2].call is None:
            heappop(heap)
            self._given_up -= 1
        earliest = heap[0][0] if heap else None
        if earliest != self.earliest:
            self.earliest = earliest
            self._arm()
            self.on_change(earliest)

    def _arm(self) -> None:
        """Sets the timer forward where it must be, never back: one that rings too early costs less than many set."""
        if self.earliest is None or self.earliest >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self.earliest
        self._timer = self._loop.call_later(max(self.earliest - time.monotonic(), 0.0), self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_at = None, math.inf
        now = time.monotonic()
        try:
            while self._heap and self._heap[0][0] <= now:
                _, _, deadline = heappop(self._heap)
                call, about = deadline.call, deadline.about
                deadline.call = deadline.about = None
                if call is None:
                    self._given_up -= 1
                else:
                    call(about)
        finally:  # a mistake of one must not take the others' time-outs
            self._look()
            self._arm()
