"""Reads what will not mend itself: ready jobs that no living worker takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

MAX_GROUPS = 200
"""So many kinds of ready jobs (queue and type) are looked at."""

# Of each queue and type with ready jobs, one hop over the index to the next.
_UNSERVED = text(f"""
    WITH RECURSIVE kind AS (
        (SELECT job_type, queue FROM perdure.jobs WHERE worker_id IS NULL AND status = 'QUEUED'
         ORDER BY job_type, queue LIMIT 1)
        UNION ALL
        SELECT next.job_type, next.queue FROM kind CROSS JOIN LATERAL (
            SELECT job.job_type, job.queue FROM perdure.jobs AS job
            WHERE job.worker_id IS NULL AND job.status = 'QUEUED'
              AND ROW(job.job_type, job.queue) > ROW(kind.job_type, kind.queue)
            ORDER BY job.job_type, job.queue LIMIT 1) AS next),
    looked_at AS MATERIALIZED (SELECT * FROM kind LIMIT {MAX_GROUPS}),
    able AS MATERIALIZED (
        SELECT queues, job_types FROM perdure.workers
        WHERE lease_until > clock_timestamp() AND draining_since IS NULL)
    SELECT job_type, queue FROM looked_at
    WHERE NOT EXISTS (SELECT FROM able WHERE looked_at.job_type = ANY (able.job_types)
                      AND (able.queues = '{{}}' OR looked_at.queue = ANY (able.queues)))
    ORDER BY job_type, queue
""")


@dataclass(frozen=True, slots=True)
class Unserved:
    """Ready jobs of this type in this queue wait for a worker that there is not."""

    job_type: str
    queue: str


class AttentionQueries:
    """Reads what needs a person, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def unserved(self) -> Sequence[Unserved]:
        return [Unserved(row.job_type, row.queue) for row in await self._connection.execute(_UNSERVED)]
