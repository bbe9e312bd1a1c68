"""Whether the notifier of a worker's process gives way: where jobs are worked off by the thousand, they come first.

Both share a core, and a mail costs as much of it as 50 small jobs. So while more jobs wait than the worker can take and
it goes through thousands of them a second, deliveries are claimed in turns: as many as there are slots, each time that
so many jobs were done. Told of each job, a flood then loses a twentieth to the mails that are sent meanwhile, not half.
The others are sent when it is over, or by the notifier of a process that runs no jobs (`perdure serve`).
"""

from __future__ import annotations

from collections.abc import Callable

from perdure.signals import Signals, StepsRecorded

FLOOD_RATE = 2_000.0
"""Jobs a second of one process: a tenth of a core, at least."""
LONGEST_SECONDS = 1.0
"""Between two turns, however many jobs there are: somebody is told all the time."""


class JobsFirst:
    """``has_backlog``: whether more jobs are waiting here than can be taken. Times are of ``time.monotonic()``."""

    def __init__(self, signals: Signals) -> None:
        self.has_backlog: Callable[[], bool] = lambda: False
        self._done = 0
        self._turn_at = float("-inf")
        signals.subscribe(StepsRecorded, self._note)

    def seconds_until_turn(self, now: float) -> float:
        """How long to give way; 0: the turn begins now."""
        earliest = self._turn_at + min(self._done / FLOOD_RATE, LONGEST_SECONDS)
        if now < earliest and self.has_backlog():
            return earliest - now
        self._turn_at, self._done = now, 0
        return 0.0

    def _note(self, steps: StepsRecorded) -> None:
        self._done += steps.count
