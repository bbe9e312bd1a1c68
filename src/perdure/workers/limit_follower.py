"""Lets the limit of a job type hold for jobs that waited before a worker declared it.

Which jobs a limit holds for is written when they are submitted; how many may run is read at each claim, so a limit
that only changes needs nobody's help.
"""

from __future__ import annotations

from perdure.db.session import Database
from perdure.repositories.limit_repository import LimitRepository
from perdure.signals import Signals
from perdure.workers.loop import Loop

BATCH = 1_000
POLL_SECONDS = 900.0
"""When to look for those that were submitted just as the limit was declared. A look reads all that waits."""


class LimitFollower(Loop):
    """Runs where a worker declares limits of types."""

    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database

    async def tick(self) -> float:
        async with self._database.transaction() as connection:
            followed = await LimitRepository(connection).limit_waiting(BATCH)
        return 0.0 if followed else POLL_SECONDS
