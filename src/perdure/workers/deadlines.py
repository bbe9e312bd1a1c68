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
    """``call`` is called at ``at`` with each of ``about``, who share it, but for those who gave it up before."""

    at: float
    call: Callable[[Any], None]
    about: set[Any]


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

    def add(self, at: float, call: Callable[[Any], None], about: set[Any]) -> Deadline:
        """Has ``call`` called at ``at`` with each of ``about`` (one at least), unless it is removed before.

        What begins together shares a deadline: one each took 1.5 us of an attempt's time.
        """
        deadline = Deadline(at, call, about)
        heappush(self._heap, (at, next(self._number), deadline))
        if self.earliest is None or at < self.earliest:
            self._look()
        return deadline

    def remove(self, deadline: Deadline, about: Any) -> None:
        """Gives it up for one of those who share it; nothing happens if it was met already."""
        if about not in deadline.about:
            return
        self._drop(deadline, about)
        if deadline.about:
            return
        if self._given_up > MANY_GIVEN_UP and self._given_up > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].about]
            heapify(self._heap)
            self._given_up = 0
            self._look()
        elif deadline is self._heap[0][2]:
            self._look()

    def _drop(self, deadline: Deadline, about: Any) -> None:
        deadline.about.remove(about)
        self._given_up += not deadline.about

    def _look(self) -> None:
        heap = self._heap
        while heap and not heap[0][2].about:
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
                deadline = self._heap[0][2]
                if deadline.about:
                    about = next(iter(deadline.about))
                    self._drop(deadline, about)
                    deadline.call(about)
                else:
                    heappop(self._heap)
                    self._given_up -= 1
        finally:  # a mistake of one must not take the others' time-outs
            self._look()
            self._arm()
