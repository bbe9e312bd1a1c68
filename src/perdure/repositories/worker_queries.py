"""The read side of the workers: who they are, whether their lease lives, and how much they hold."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ALL = text("""
    SELECT worker.*, worker.lease_until > clock_timestamp() AS alive,
           (SELECT count(*) FROM perdure.jobs AS job
            WHERE job.status = 'RUNNING' AND job.worker_id = worker.worker_id) AS running
    FROM perdure.workers AS worker ORDER BY worker.started_at DESC
""")


class WorkerQueries:
    """Reads the workers, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> Sequence[RowMapping]:
        """Newest first; those that are gone stay for an hour."""
        return (await self._connection.execute(_ALL)).mappings().all()
