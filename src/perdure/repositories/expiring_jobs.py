"""Finds the waiting jobs whose time is over. Who fails them locks them first; claims look at the clock themselves."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import quoted
from perdure.models.job import Job
from perdure.models.lifecycle import WAITING
from perdure.repositories.mappers import JOB_COLUMNS, job_from_row
from perdure.repositories.statements import NOW, column_list

# Each for one caller only (SKIP LOCKED); what is just being claimed is passed over, and runs.
_LOCK_EXPIRED = text(f"""
    SELECT {column_list(JOB_COLUMNS, "job")} FROM perdure.jobs AS job
    WHERE job.status IN ({quoted(WAITING)}) AND job.expires_at <= {NOW}
    ORDER BY job.expires_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
""").columns(*JOB_COLUMNS)

_SECONDS_UNTIL_NEXT = text(f"""
    SELECT extract(epoch FROM min(expires_at) - clock_timestamp())::float8 FROM perdure.jobs
    WHERE status IN ({quoted(WAITING)}) AND expires_at IS NOT NULL
""")


class ExpiringJobs:
    """Waiting jobs that expire, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_expired(self, limit: int) -> list[Job]:
        """Up to ``limit`` of those whose ``expires_at`` has come, locked until the transaction ends."""
        result = await self._connection.execute(_LOCK_EXPIRED, {"limit": limit})
        return [job_from_row(row) for row in result.mappings()]

    async def seconds_until_next(self) -> float | None:
        """Seconds until the next one expires (negative: it has); None when none of them ever does."""
        seconds: float | None = (await self._connection.execute(_SECONDS_UNTIL_NEXT)).scalar_one()
        return seconds
