"""What needs a person: what stands still, and will until somebody does something. Cheap enough for every look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perdure.core.provider_commands import ProviderCommands
from perdure.core.remembered import Remembered
from perdure.db.session import Database
from perdure.models.circuit import Circuit, CircuitState
from perdure.models.queue import PausedQueue
from perdure.repositories.attention_queries import AttentionQueries, Unserved
from perdure.repositories.queue_queries import QueueQueries

FRESH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Attention:
    """``circuits`` are those that are paused (somebody must mend the set-up) or open (the other side fails)."""

    paused: Sequence[PausedQueue]
    unserved: Sequence[Unserved]
    circuits: Sequence[Circuit]


class AttentionReader:
    """Asks the database, and remembers the answer for a moment, for all who look."""

    def __init__(self, database: Database, providers: ProviderCommands) -> None:
        self._database = database
        self._providers = providers
        self._known = Remembered(self._ask, FRESH_SECONDS)

    async def read(self) -> Attention:
        """Raises ``Unavailable``."""
        return await self._known.get()

    async def _ask(self) -> Attention:
        async with self._database.snapshot() as connection:
            paused = await QueueQueries(connection).paused()
            unserved = await AttentionQueries(connection).unserved()
        stopped = {one.name for one in paused}
        circuits = [one for provider in await self._providers.all() for one in provider.circuits]
        return Attention(
            paused,
            [one for one in unserved if one.queue not in stopped],
            [one for one in circuits if one.state is not CircuitState.CLOSED],
        )
