"""The read side of providers: where calls failed, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import CircuitRow
from perdure.models.circuit import Circuit
from perdure.models.provider import MAX_WAITING, Backlog
from perdure.repositories.circuit_repository import circuit_from_row
from perdure.repositories.statements import column_list

MAX_CIRCUITS = 100

# All circuits are read, for they are few: only where something failed, or a rate holds, is one.
_CIRCUITS = text(f"""
    SELECT {column_list(columns_of(CircuitRow), "circuit")} FROM perdure.circuits AS circuit
    WHERE circuit.failed_at IS NOT NULL AND circuit.provider = ANY (CAST(:providers AS text[]))
    ORDER BY circuit.state = 'CLOSED', circuit.failed_at DESC LIMIT {MAX_CIRCUITS}
""")

_BACKLOGS = text(f"""
    SELECT wanted.channel, counted.waiting, counted.oldest_seconds
    FROM unnest(CAST(:channels AS text[])) AS wanted(channel) CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_seconds
        FROM (SELECT delivery.created_at FROM perdure.deliveries AS delivery
              WHERE delivery.channel = wanted.channel AND delivery.finished_at IS NULL
              ORDER BY delivery.channel, delivery.destination, delivery.next_attempt_at LIMIT {MAX_WAITING}) AS waiting
        ) AS counted
""")


class ProviderQueries:
    """Reads what is known of providers, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def circuits(self, providers: Sequence[str]) -> list[Circuit]:
        """Where calls of the providers failed, those that are not closed first, then the latest."""
        found = await self._connection.execute(_CIRCUITS, {"providers": list(providers)})
        return [circuit_from_row(row) for row in found.mappings()]

    async def backlogs(self, channels: Sequence[str]) -> dict[str, Backlog]:
        """What waits in each of the channels."""
        found = await self._connection.execute(_BACKLOGS, {"channels": list(channels)})
        return {row.channel: Backlog(row.waiting, row.oldest_seconds) for row in found}
