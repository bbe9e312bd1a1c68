"""Gives schedules their turn when a slot has come, and sleeps until the next one is due.

Every process may run one; they do not get in each other's way (``core/scheduling.py``).
"""

from __future__ import annotations

from perdure.core.scheduling import Scheduling
from perdure.db.wakeup import Topic, Wakeup
from perdure.signals import Signals
from perdure.workers.loop import Loop, sleep_until

POLL_SECONDS = 30.0
SHORTEST_PAUSE_SECONDS = 0.05
"""What is due may be in the hands of somebody else just now."""


class Scheduler(Loop):
    def __init__(self, signals: Signals, wakeup: Wakeup, scheduling: Scheduling) -> None:
        super().__init__(signals, wakeup.event(Topic.SCHEDULES))
        self._scheduling = scheduling

    async def tick(self) -> float:
        next_due = await self._scheduling.take_turns()
        return sleep_until(next_due, POLL_SECONDS, SHORTEST_PAUSE_SECONDS)
