"""Where a worker's next claims begin: at the start of its queues or, for a while, at the marks where it left off.

Each job that was claimed leaves a dead entry in the index of ready jobs. While anybody's old transaction pins the
horizon of vacuum, none of them is cleared, and a look from the start reads them all: 34 ms a claim after 200,000
jobs, where one from the mark stays at 1.7 ms (measured). But only a look from the start finds what became ready at a
lesser place: of a higher priority, retried, given back, in a new queue. So what looks from the start cost beyond looks
from the marks may be a twentieth of the time; and one is due every second, whatever it costs. With nothing pinned both
cost the same, and nearly every look is from the start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import inf

from perdure.models.place import Place

SHARE = 20
LONGEST_PAUSE_SECONDS = 1.0
RECENT_LOOKS = 10
"""The quickest of so many is what a look costs: dead entries slow down each one, a busy machine only some."""
MAX_QUEUES = 100
"""So many marks are kept: a queue without one is seen by looks from the start alone."""


class Watermark:
    """The marks of one worker, a place in each queue it claimed from. Times are monotonic seconds, passed in."""

    def __init__(self) -> None:
        self._marks: dict[str, Place] = {}
        self._from_start: deque[float] = deque(maxlen=RECENT_LOOKS)
        self._from_marks: deque[float] = deque(maxlen=RECENT_LOOKS)
        self._due_at = -inf

    def marks(self, now: float) -> Mapping[str, Place] | None:
        """The queues to look into and where to begin in each; None: look into all there are, from the start."""
        return None if now >= self._due_at else self._marks

    def seconds_until_start(self, now: float) -> float:
        """In how many seconds a look from the start is due."""
        return max(self._due_at - now, 0.0)

    def note_claim(self, queue: str, last: Place, *, is_full: bool) -> None:
        """Jobs of ``queue`` were claimed, up to ``last``; ``is_full``: all that were asked for, so more may follow."""
        mark = self._marks.pop(queue, last)
        self._marks[queue] = last if is_full else max(mark, last)
        if len(self._marks) > MAX_QUEUES:
            del self._marks[next(iter(self._marks))]

    def note_start(self, began: float, ended: float) -> None:
        """A look from the start is over: says when the next one is due."""
        self._from_start.append(ended - began)
        extra = min(self._from_start) - min(self._from_marks, default=0.0)
        self._due_at = ended + min(max(extra, 0.0) * SHARE, LONGEST_PAUSE_SECONDS)

    def note_continuation(self, began: float, ended: float) -> None:
        """A look from the marks, which claimed something, is over. (One that finds nothing has less to do.)"""
        self._from_marks.append(ended - began)
