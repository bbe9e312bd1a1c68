"""The read side of deliveries: the audit of who was told what, and how each try went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import DeliveryAttemptRow
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_search import DeliverySearch, on_record
from perdure.repositories.mappers import delivery_on_record

_TRIES = table_of(DeliveryAttemptRow)
_OF_JOB = on_record("WHERE delivery.job_id = :job_id ORDER BY delivery.delivery_id")
_SOME = on_record("WHERE delivery.delivery_id = ANY (CAST(:delivery_ids AS uuid[])) ORDER BY delivery.delivery_id DESC")
_GET = on_record("WHERE delivery.delivery_id = :delivery_id")


class DeliveryQueries:
    """Reads deliveries, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_job(self, job_id: UUID) -> list[DeliveryOnRecord]:
        """All deliveries of a job, over all its runs, in the order they were written."""
        rows = (await self._connection.execute(_OF_JOB, {"job_id": job_id})).mappings()
        return [delivery_on_record(row) for row in rows]

    async def newest(self, wanted: DeliveryFilter, before: UUID | None, limit: int) -> list[DeliveryOnRecord]:
        """Up to ``limit`` deliveries that match, newest first (ids are time-ordered), older than the id ``before``."""
        return await DeliverySearch(self._connection, wanted).newest(before, limit)

    async def some(self, delivery_ids: Sequence[UUID]) -> list[DeliveryOnRecord]:
        """The deliveries with these ids, newest first; those that there are not are left out."""
        if not delivery_ids:
            return []
        rows = (await self._connection.execute(_SOME, {"delivery_ids": list(delivery_ids)})).mappings()
        return [delivery_on_record(row) for row in rows]

    async def get(self, delivery_id: UUID) -> DeliveryOnRecord | None:
        row = (await self._connection.execute(_GET, {"delivery_id": delivery_id})).mappings().one_or_none()
        return None if row is None else delivery_on_record(row)

    async def tries(self, delivery_id: UUID) -> Sequence[RowMapping]:
        """Every try of a delivery, in order."""
        query = select(_TRIES).where(DeliveryAttemptRow.delivery_id == delivery_id).order_by(DeliveryAttemptRow.number)
        return (await self._connection.execute(query)).mappings().all()

    async def tries_of(self, delivery_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
        """Every try of each of the deliveries, in order."""
        query = (
            select(_TRIES)
            .where(DeliveryAttemptRow.delivery_id.in_(delivery_ids))
            .order_by(DeliveryAttemptRow.delivery_id, DeliveryAttemptRow.number)
        )
        found: dict[UUID, list[dict[str, Any]]] = {delivery_id: [] for delivery_id in delivery_ids}
        for row in (await self._connection.execute(query)).mappings():
            found[row["delivery_id"]].append(dict(row))
        return found
