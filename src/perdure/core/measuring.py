"""How the platform stands, read at most once for all who ask within a few seconds: looking must not cost the jobs."""

from __future__ import annotations

import asyncio
import time

from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.statistics import Statistics
from perdure.repositories.statistics_queries import StatisticsQueries

MAX_AGE_SECONDS = 5.0
READ_SECONDS = 3.0
"""A database that takes longer is as good as away: whoever scrapes waits ten seconds at most."""


class Measuring:
    """Asks the database for ``Statistics``, and remembers the answer, or that there was none, for five seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = asyncio.Lock()
        self._answer: Statistics | Unavailable | None = None
        self._answered_at = 0.0

    async def statistics(self) -> Statistics:
        """The latest statistics, at most five seconds old. Raises ``Unavailable``."""
        async with self._reading:
            if self._answer is None or time.monotonic() - self._answered_at > MAX_AGE_SECONDS:
                self._answer = await self._ask()
                self._answered_at = time.monotonic()
            answer = self._answer
        if isinstance(answer, Unavailable):
            raise Unavailable(answer.detail) from answer
        return answer

    async def _ask(self) -> Statistics | Unavailable:
        try:
            async with asyncio.timeout(READ_SECONDS), self._database.snapshot() as connection:
                return await StatisticsQueries(connection).read()
        except Unavailable as error:
            return error
        except TimeoutError:
            return Unavailable("The database takes too long to answer; try again.")
