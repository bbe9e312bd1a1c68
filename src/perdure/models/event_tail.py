"""How far the recorded events were read, so that none is skipped although they appear out of order.

An event's id is given out while its transaction runs, and seen when that commits: a smaller one may follow a greater.
So an id that is passed over is a gap, which is read again until it is filled, or until it can be filled no more: once
every transaction that was writing events when the gap was seen has ended, and a reading begun after that still finds
nothing, whoever had the id was rolled back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Writers = frozenset[str]
"""Transactions that are writing events, by names that are never given twice."""
MAX_GAPS = 10_000
"""Transactions that write at once have their ids in turns, and each turn is a gap until its transaction commits."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The ids from ``first`` to ``last``; ``writers`` may still fill it. (None: it is not known yet who may.)"""

    first: int
    last: int
    writers: Writers | None = None

    def without(self, ids: Sequence[int]) -> Iterable[Gap]:
        """What is left of it once ``ids``, in order, were found."""
        first = self.first
        for event_id in ids:
            if event_id > first:
                yield replace(self, first=first, last=event_id - 1)
            first = event_id + 1
        if first <= self.last:
            yield replace(self, first=first)


class EventTail:
    """Everything up to ``position`` was read, but for ``gaps``, which are in order."""

    def __init__(self, position: int, gaps: Iterable[Gap] = ()) -> None:
        self.position = position
        self.gaps = list(gaps)

    @property
    def floor(self) -> int:
        """Up to here there is nothing more to come."""
        return self.gaps[0].first - 1 if self.gaps else self.position

    def has_read(self, event_id: int) -> bool:
        """Whether an event that is there now was there when it was read up to here."""
        before = bisect_right(self.gaps, event_id, key=lambda gap: gap.first)
        is_missing = before > 0 and event_id <= self.gaps[before - 1].last
        return event_id <= self.position and not is_missing

    def note_writers(self, writers: Writers) -> None:
        """Takes down who writes events at a moment before the next reading begins."""
        self.gaps = [
            replace(gap, writers=writers if gap.writers is None else gap.writers & writers) for gap in self.gaps
        ]

    def note_reading(self, ids: Iterable[int], *, is_whole: bool) -> bool:
        """Takes down which ids a reading of the gaps, and of what comes after the position, has found.

        It ``is_whole`` if it found all that there was in the gaps. Returns whether nothing was given up: of too many
        gaps the oldest are.
        """
        found = sorted(ids)
        left: list[Gap] = []
        for gap in self.gaps:
            inside = found[bisect_left(found, gap.first) : bisect_right(found, gap.last)]
            if gap.writers is None or gap.writers or not is_whole:
                left += gap.without(inside)
        for event_id in found[bisect_right(found, self.position) :]:
            if event_id > self.position + 1:
                left.append(Gap(self.position + 1, event_id - 1))
            self.position = event_id
        self.gaps = left[-MAX_GAPS:]
        return len(left) <= MAX_GAPS
