"""What was done lately in each queue, and of each job type, for whoever looks: read once for all who do in a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from perdure.core.remembered import Remembered
from perdure.db.session import Database
from perdure.models.history import HOUR, MINUTE, Point, Stretch
from perdure.repositories.history_queries import HistoryQueries

OF_QUEUES = timedelta(hours=1)
OF_TYPES = timedelta(days=1)
_QUEUES_FRESH_SECONDS, _TYPES_FRESH_SECONDS = 5.0, 20.0


class Figures:
    """Asks the database, and remembers the answers. Each may raise ``Unavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues = Remembered(self._ask_queues, _QUEUES_FRESH_SECONDS)
        self._types = Remembered(self._ask_types, _TYPES_FRESH_SECONDS)

    async def by_queue(self) -> Mapping[str, Point]:
        """The last hour of every queue in which anything was done."""
        return await self._queues.get()

    async def by_type(self) -> Mapping[str, Point]:
        """The last day, in whole hours, of every job type of which anything was done."""
        return await self._types.get()

    async def _ask_queues(self) -> Mapping[str, Point]:
        async with self._database.snapshot() as connection:
            return await HistoryQueries(connection).by_queue(self._last(OF_QUEUES, MINUTE))

    async def _ask_types(self) -> Mapping[str, Point]:
        async with self._database.snapshot() as connection:
            return await HistoryQueries(connection).by_type(self._last(OF_TYPES, HOUR))

    def _last(self, length: timedelta, step_seconds: int) -> Stretch:
        """Whole steps, of which the last is under way."""
        now = self._database.clock.now()
        return Stretch.covering(now - length + timedelta(seconds=step_seconds), now, step_seconds)
