"""The read side of the job types that workers have published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import RowMapping, Text, column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import JobTypeRow
from perdure.repositories.statements import column_list

_TYPES = table_of(JobTypeRow)
_COLUMNS = columns_of(JobTypeRow)

VERSION = "CAST(published.xmin AS text)"
"""Another one whenever a type is published: the transaction that wrote its row."""

_NAMED = text(f"""
    SELECT {column_list(_COLUMNS)}, {VERSION} AS version FROM perdure.job_types AS published
    WHERE job_type = ANY (CAST(:job_types AS text[]))
""").columns(*_COLUMNS, column("version", Text))


class JobTypeQueries:
    """Reads what workers can do, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> Sequence[RowMapping]:
        return (await self._connection.execute(select(_TYPES).order_by(JobTypeRow.job_type))).mappings().all()

    async def names(self) -> Sequence[str]:
        return (
            (await self._connection.execute(select(JobTypeRow.job_type).order_by(JobTypeRow.job_type))).scalars().all()
        )

    async def get(self, job_type: str) -> RowMapping | None:
        return (await self.named([job_type])).get(job_type)

    async def named(self, job_types: Iterable[str]) -> dict[str, RowMapping]:
        """Those of the job types that were published, by name."""
        result = await self._connection.execute(_NAMED, {"job_types": list(job_types)})
        return {row["job_type"]: row for row in result.mappings()}
