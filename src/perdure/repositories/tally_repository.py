"""Writes down what a process has counted, and forgets what is too old to be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobTallyRow

COUNTED = tuple(column.name for column in columns_of(JobTallyRow) if not column.primary_key)

# A row of its own for each process: nobody waits for anybody.
_ADD = text(f"""
    INSERT INTO perdure.job_tallies (tallied_at, tallier_id, {", ".join(COUNTED)})
    VALUES (clock_timestamp(), :tallier_id, {", ".join(f":{name}" for name in COUNTED)})
""")

# What another process is removing just now is left to it.
_FORGET = text("""
    DELETE FROM perdure.job_tallies AS old USING (
        SELECT tallied_at, tallier_id FROM perdure.job_tallies
        WHERE tallied_at < clock_timestamp() - interval '2 hours'
        ORDER BY tallied_at LIMIT 1000 FOR UPDATE SKIP LOCKED) AS gone
    WHERE (old.tallied_at, old.tallier_id) = (gone.tallied_at, gone.tallier_id)
""")


class TallyRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, tallier_id: UUID, counts: Mapping[str, int]) -> None:
        """Writes the counts by column; those left out are 0."""
        values = {name: counts.get(name, 0) for name in COUNTED}
        await self._connection.execute(_ADD, values | {"tallier_id": tallier_id})

    async def forget_old(self) -> None:
        """Removes tallies that are two hours old."""
        await self._connection.execute(_FORGET)
