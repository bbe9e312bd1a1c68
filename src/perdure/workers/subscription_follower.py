"""Keeps this process's copy of the subscriptions up to date: when one was set, and in case nobody said so."""

from __future__ import annotations

from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.db.wakeup import Topic, Wakeup
from perdure.signals import Signals
from perdure.workers.loop import Loop

POLL_SECONDS = 5.0
"""How late a change is noticed when its wake-up was lost."""


class SubscriptionFollower(Loop):
    """Runs in every process that concludes jobs."""

    def __init__(self, signals: Signals, wakeup: Wakeup, copy: SubscriptionCopy) -> None:
        super().__init__(signals, wakeup.event(Topic.SUBSCRIPTIONS))
        self._copy = copy

    async def tick(self) -> float:
        await self._copy.refresh()
        return POLL_SECONDS
