"""The read side of the workers: who they are, whether their lease lives, and what they run."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import Json
from perdure.models.lease import MAX_JOBS_NAMED

# What a worker runs is found by the index of running jobs; it is no more than the worker's slots.
_ALL = text(f"""
    SELECT worker.*, worker.lease_until > clock_timestamp() AS alive,
           (SELECT count(*) FROM perdure.jobs AS job
            WHERE job.status = 'RUNNING' AND job.worker_id = worker.worker_id) AS running,
           (SELECT coalesce(jsonb_agg(to_jsonb(held) ORDER BY held.started_at, held.job_id), '[]')
            FROM (SELECT job.job_id, job.job_type, job.queue, job.attempt, job.started_at FROM perdure.jobs AS job
                  WHERE job.status = 'RUNNING' AND job.worker_id = worker.worker_id
                  ORDER BY job.started_at, job.job_id LIMIT {MAX_JOBS_NAMED}) AS held) AS jobs
    FROM perdure.workers AS worker ORDER BY worker.started_at DESC
""").columns(jobs=Json)

_ABLE = text("""
    SELECT job_type, count(DISTINCT worker_id) AS workers
    FROM perdure.workers AS worker, unnest(worker.job_types) AS job_type
    WHERE worker.lease_until > clock_timestamp() AND worker.draining_since IS NULL
    GROUP BY job_type
""")


class WorkerQueries:
    """Reads the workers, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> Sequence[RowMapping]:
        """Newest first; those that are gone stay for an hour."""
        return (await self._connection.execute(_ALL)).mappings().all()

    async def able(self) -> dict[str, int]:
        """How many living workers take jobs of each type."""
        return {row.job_type: row.workers for row in await self._connection.execute(_ABLE)}
