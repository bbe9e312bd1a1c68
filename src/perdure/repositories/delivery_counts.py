"""Counts the deliveries that match, by state, in bounded time: exactly where they are few, else the least there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.delivery import DeliveryStatus
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_search import DeliverySearch

COUNTED_IN_ALL = 10_000
"""Shared by the combinations of state, provider, channel, event and type of job; of one recipient, by the states."""
LEAST_OF_EACH = 5
TIMEOUT_MS = 300


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """How many match in each state. ``at_least``: of these states there are so many, or more."""

    by_state: Mapping[DeliveryStatus, int]
    at_least: frozenset[DeliveryStatus]


class DeliveryCounting:
    """Counts on one connection, which is used for nothing else: it raises ``Unavailable`` if it takes too long."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def count(self, wanted: DeliveryFilter) -> DeliveryCounts:
        """Whatever state ``wanted`` names, all are counted."""
        await self._connection.execute(text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}"))
        found = await DeliverySearch(self._connection, replace(wanted, status=())).counts(COUNTED_IN_ALL, LEAST_OF_EACH)
        return DeliveryCounts(
            {status: count for status, (count, _) in found.items()},
            frozenset(status for status, (_, has_more) in found.items() if has_more),
        )
