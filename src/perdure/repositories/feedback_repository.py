"""What was said of deliveries: kept once each, with what it makes of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import DeliveryFeedbackRow
from perdure.models.delivery import Delivery
from perdure.models.feedback import Feedback
from perdure.repositories.mappers import DELIVERY_COLUMNS, delivery_arrays, delivery_from_row
from perdure.repositories.statements import column_list, insert, unnest

_FEEDBACK = table_of(DeliveryFeedbackRow)
_COLUMNS = columns_of(DeliveryFeedbackRow)

# Deliveries that nobody changes until the caller has committed, each with its job held in place, lest retention remove
# them meanwhile. In the order of their ids: two who hear of the same ones wait for each other, and not in a circle.
_HOLD = text(f"""
    SELECT {column_list(DELIVERY_COLUMNS, "delivery")}
    FROM perdure.deliveries AS delivery JOIN perdure.jobs AS job USING (job_id)
    WHERE delivery.delivery_id = ANY (CAST(:delivery_ids AS uuid[]))
    ORDER BY delivery.delivery_id FOR NO KEY UPDATE OF delivery FOR KEY SHARE OF job
""").columns(*DELIVERY_COLUMNS)

# Once each: an event that is known, or stands twice in what is written, is one row, and returned to who wrote it.
_ADD = text(insert("perdure.delivery_feedback", _COLUMNS, "ON CONFLICT DO NOTHING RETURNING delivery_id, event_id"))

_CHANGED = tuple(
    one
    for one in DELIVERY_COLUMNS
    if one.name in {"status", "reason", "fence", "next_attempt_at", "provider_message_id", "finished_at"}
)
_ID = tuple(one for one in DELIVERY_COLUMNS if one.name == "delivery_id")

# Of deliveries that the caller holds. The raised fence takes them from a notifier that is still sending.
_APPLY = text(f"""
    UPDATE perdure.deliveries AS delivery SET {", ".join(f"{one.name} = new.{one.name}" for one in _CHANGED)}
    FROM {unnest(_ID + _CHANGED, "new")}
    WHERE delivery.delivery_id = new.delivery_id AND delivery.delivery_id = ANY (CAST(:delivery_id AS uuid[]))
""")


class FeedbackRepository:
    """Reads and writes ``delivery_feedback``, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def hold(self, delivery_ids: Collection[UUID]) -> list[Delivery]:
        """Those of the deliveries that are there, unchangeable by others until the transaction ends."""
        result = await self._connection.execute(_HOLD, {"delivery_ids": list(delivery_ids)})
        return [delivery_from_row(row) for row in result.mappings()]

    async def add(self, feedback: Sequence[Feedback], now: datetime) -> list[Feedback]:
        """Keeps what is new, and returns it in the order given."""
        if not feedback:
            return []
        arrays = {
            one.name: [now if one.name == "received_at" else getattr(said, one.name) for said in feedback]
            for one in _COLUMNS
        }
        added = {tuple(row) for row in await self._connection.execute(_ADD, arrays)}
        first = {(said.delivery_id, said.event_id): said for said in reversed(feedback)}
        return [said for key, said in reversed(first.items()) if key in added]

    async def apply(self, deliveries: Sequence[Delivery]) -> None:
        """Writes what feedback made of deliveries, which the transaction holds."""
        if deliveries:
            await self._connection.execute(_APPLY, delivery_arrays(deliveries, _ID + _CHANGED))

    async def of_delivery(self, delivery_id: UUID) -> Sequence[RowMapping]:
        """All that was said of a delivery, in the order in which it happened."""
        query = (
            select(_FEEDBACK)
            .where(DeliveryFeedbackRow.delivery_id == delivery_id)
            .order_by(DeliveryFeedbackRow.occurred_at, DeliveryFeedbackRow.event_id)
        )
        return (await self._connection.execute(query)).mappings().all()
