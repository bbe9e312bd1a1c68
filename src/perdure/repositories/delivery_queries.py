"""The read side of deliveries: the audit of who was told what, and how each try went."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import DeliveryAttemptRow, DeliveryRow
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.repositories.mappers import delivery_from_row

_DELIVERIES = table_of(DeliveryRow)
_TRIES = table_of(DeliveryAttemptRow)


class DeliveryQueries:
    """Reads deliveries, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_job(self, job_id: UUID) -> list[Delivery]:
        """All deliveries of a job, over all its runs, in the order they were written."""
        query = select(_DELIVERIES).where(DeliveryRow.job_id == job_id).order_by(DeliveryRow.delivery_id)
        return [delivery_from_row(row) for row in (await self._connection.execute(query)).mappings()]

    async def newest(self, status: Sequence[DeliveryStatus], before: UUID | None, limit: int) -> list[Delivery]:
        """Up to ``limit`` deliveries, newest first, older than the id ``before``; of all states when none is named."""
        query = select(_DELIVERIES).order_by(DeliveryRow.delivery_id.desc()).limit(limit)
        if status:
            query = query.where(DeliveryRow.status.in_([one.value for one in status]))
        if before is not None:
            query = query.where(DeliveryRow.delivery_id < before)
        return [delivery_from_row(row) for row in (await self._connection.execute(query)).mappings()]

    async def get(self, delivery_id: UUID) -> Delivery | None:
        query = select(_DELIVERIES).where(DeliveryRow.delivery_id == delivery_id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else delivery_from_row(row)

    async def tries(self, delivery_id: UUID) -> Sequence[RowMapping]:
        """Every try of a delivery, in order."""
        query = select(_TRIES).where(DeliveryAttemptRow.delivery_id == delivery_id).order_by(DeliveryAttemptRow.number)
        return (await self._connection.execute(query)).mappings().all()
