"""When a worker looks for jobs that a limit holds for, and where among their lanes it goes on.

Such a look is a statement of its own, so it is made when it may find something: where a slot has become free, or the
last look found some; and whenever nothing else was there to claim. A worker that others keep busy looks four
times a second. Where nobody uses limits, that is all they cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf

from perdure.models.lane import BEFORE_ALL, MAX_LANES, Lane, LaneName

LOOK_SECONDS = 0.25
CONTENDED_SECONDS = 0.02
"""When to look again where others claim from the same lanes just now: they take a few milliseconds."""


class LaneWalk:
    """The looks of one worker. ``rung`` is set when slots became free. Times are monotonic seconds, passed in."""

    def __init__(self, rung: asyncio.Event) -> None:
        self._rung = rung
        self._due_at = -inf
        self.after: LaneName = BEFORE_ALL
        """Where the next look begins."""

    def is_due(self, now: float) -> bool:
        return self._rung.is_set() or now >= self._due_at

    def begin(self) -> None:
        """A look begins: what rings from now on asks for another."""
        self._rung.clear()

    def note(self, lanes: Sequence[Lane], now: float) -> float:
        """A look found these; returns in how many seconds to look again if nobody rings, and slots are free."""
        is_cut = len(lanes) == MAX_LANES
        self.after = lanes[-1].name if is_cut else BEFORE_ALL
        has_room = any(lane.has_room for lane in lanes)
        self._due_at = now if has_room or is_cut else now + LOOK_SECONDS
        if is_cut:
            return 0.0
        return CONTENDED_SECONDS if any(lane.has_room and not lane.is_held for lane in lanes) else inf
