"""The suppression list: kept, and asked for many recipients at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import SuppressionRow
from perdure.models.suppression import Suppression, SuppressionReason, listed_as
from perdure.repositories.statements import insert

_SUPPRESSIONS = table_of(SuppressionRow)
_COLUMNS = columns_of(SuppressionRow)

# An address stands once on the list: why it came there first is kept.
_ADD = text(insert("perdure.suppressions", _COLUMNS, "ON CONFLICT (address) DO NOTHING"))

_REMOVE = text("DELETE FROM perdure.suppressions WHERE address = :address")

# One look at the index for each recipient, however many are listed.
_REASONS = text("""
    SELECT wanted.recipient, suppression.reason
    FROM unnest(CAST(:recipients AS text[]), CAST(:addresses AS text[])) AS wanted(recipient, address)
    JOIN perdure.suppressions AS suppression USING (address)
""")


class SuppressionRepository:
    """Reads and writes ``suppressions``, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, suppressions: Sequence[Suppression]) -> int:
        """Lists those that are not listed yet; returns how many that were."""
        if not suppressions:
            return 0
        # In one order for all: two who list the same addresses wait for each other, and not in a circle.
        in_order = sorted(suppressions, key=lambda suppression: suppression.address)
        arrays: dict[str, list[Any]] = {
            one.name: [getattr(suppression, one.name) for suppression in in_order] for one in _COLUMNS
        }
        return (await self._connection.execute(_ADD, arrays)).rowcount

    async def remove(self, address: str) -> bool:
        """Takes it off the list; whether it was on it."""
        return bool((await self._connection.execute(_REMOVE, {"address": listed_as(address)})).rowcount)

    async def reasons(self, recipients: Sequence[str]) -> dict[str, SuppressionReason]:
        """Why nothing may be sent to those of the recipients that are listed."""
        if not recipients:
            return {}
        wanted = {"recipients": list(recipients), "addresses": [listed_as(one) for one in recipients]}
        rows = await self._connection.execute(_REASONS, wanted)
        return {row.recipient: SuppressionReason(row.reason) for row in rows}

    async def newest(self, address: str | None, before: UUID | None, limit: int) -> Sequence[RowMapping]:
        """Up to ``limit`` of the list, newest first, older than the id ``before``; ``address`` alone if given."""
        query = select(_SUPPRESSIONS).order_by(SuppressionRow.suppression_id.desc()).limit(limit)
        if address is not None:
            query = query.where(SuppressionRow.address == listed_as(address))
        if before is not None:
            query = query.where(SuppressionRow.suppression_id < before)
        return (await self._connection.execute(query)).mappings().all()
