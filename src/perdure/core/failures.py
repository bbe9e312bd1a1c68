"""What fails, for whoever looks: read once for all who do within a few seconds."""

from __future__ import annotations

from collections.abc import Sequence

from perdure.core.remembered import Remembered
from perdure.db.session import Database
from perdure.models.failure import FailureGroup
from perdure.repositories.failure_queries import FailureQueries

FRESH_SECONDS = 3.0


class FailuresReader:
    """Asks the database, and remembers the answer for a moment."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Remembered(self._ask, FRESH_SECONDS)

    async def groups(self) -> Sequence[FailureGroup]:
        """What failed alike, what failed last first. Raises ``Unavailable``."""
        return await self._known.get()

    async def _ask(self) -> Sequence[FailureGroup]:
        async with self._database.snapshot() as connection:
            return await FailureQueries(connection).groups()
