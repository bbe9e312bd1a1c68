"""Whether the notifier of a worker's process gives way: where jobs end faster than they can be written, they go first.

Both share a core, and a mail costs as much of it as 50 small jobs. So while more jobs wait than the worker can take,
and a great part of its slots ends between two commits, deliveries are claimed in turns: as many as there are slots,
once a second. Told of each job, a flood then loses a twentieth to the mails that are sent meanwhile, and not half. The
others are sent when it is over, or by the notifier of a process that runs no jobs (`perdure serve`).

It is asked how many jobs share a commit, not how many end in a second: that says the same on any machine, and does not
fall because mails take the time.
"""

from __future__ import annotations

from collections.abc import Callable

from perdure.signals import Signals, StepsRecorded

TURN_SECONDS = 1.0
FLOOD_SHARE = 0.25
"""Of the slots, in each commit."""
_WEIGHT_OF_NEWEST = 0.25


class JobsFirst:
    """``has_backlog``: whether more jobs wait here than ``slots`` can take. Times are of ``time.monotonic()``."""

    def __init__(self, signals: Signals) -> None:
        self.slots = 0
        self.has_backlog: Callable[[], bool] = lambda: False
        self._together = 0.0
        """So many jobs share a commit, of late."""
        self._turn_at = float("-inf")
        signals.subscribe(StepsRecorded, self._note)

    def seconds_until_turn(self, now: float) -> float:
        """How long to give way; 0: the turn begins now."""
        if self.has_backlog() and self._together >= FLOOD_SHARE * self.slots and now < self._turn_at + TURN_SECONDS:
            return self._turn_at + TURN_SECONDS - now
        self._turn_at = now
        return 0.0

    def _note(self, steps: StepsRecorded) -> None:
        self._together += _WEIGHT_OF_NEWEST * (steps.count - self._together)
