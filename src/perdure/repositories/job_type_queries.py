"""The read side of the job types that workers have published."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import JobTypeRow

_TYPES = table_of(JobTypeRow)


class JobTypeQueries:
    """Reads what workers can do, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> Sequence[RowMapping]:
        return (await self._connection.execute(select(_TYPES).order_by(JobTypeRow.job_type))).mappings().all()

    async def get(self, job_type: str) -> RowMapping | None:
        query = select(_TYPES).where(JobTypeRow.job_type == job_type)
        return (await self._connection.execute(query)).mappings().one_or_none()
