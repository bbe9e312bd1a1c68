"""What this process knows of the subscriptions: a copy, so that no job costs a look into their table.

A change is in the copy of the process that made it at once, in all others when the wake-up reaches them, which takes
milliseconds, and within a second at the latest (``workers/subscription_follower.py``).
"""

from __future__ import annotations

from perdure.db.session import Database
from perdure.models.subscription import NO_SUBSCRIPTIONS, Subscriptions
from perdure.repositories.subscription_repository import SubscriptionRepository


class SubscriptionCopy:
    """``known`` is the copy; ``refresh`` brings it up to date."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark: str | None = None
        self.known: Subscriptions = NO_SUBSCRIPTIONS

    async def refresh(self) -> None:
        """Reads a mark, and only where that is another one, the subscriptions. Raises ``Unavailable``."""
        async with self._database.snapshot(of_one_moment=True) as connection:
            subscriptions = SubscriptionRepository(connection)
            mark = await subscriptions.mark()
            if mark == self._mark:
                return
            found = await subscriptions.all()
        self._mark, self.known = mark, Subscriptions(found)
