"""The read side of failures: which of the newest failed jobs failed alike."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.failure import MAX_FAILURES, MAX_GROUPS, FailureGroup

_MESSAGE_LENGTH = 300

# The newest by the index of failed jobs; what makes a group is added up from these alone.
_GROUPS = text(f"""
    WITH newest AS MATERIALIZED (
        SELECT job_id, job_type, finished_at, error ->> 'fingerprint' AS fingerprint, error ->> 'type' AS error_type,
               "left"(error ->> 'message', {_MESSAGE_LENGTH}) AS message
        FROM perdure.jobs WHERE status IN ('FAILED', 'CANCELLED') AND error IS NOT NULL AND status = 'FAILED'
        ORDER BY job_id DESC LIMIT {MAX_FAILURES})
    SELECT fingerprint, min(job_type) AS job_type, (array_agg(error_type ORDER BY job_id DESC))[1] AS error_type,
           (array_agg(message ORDER BY job_id DESC))[1] AS message, count(*) AS jobs,
           (array_agg(job_id ORDER BY job_id DESC))[1] AS newest_job_id,
           min(finished_at) AS first_at, max(finished_at) AS last_at,
           array_agg(extract(epoch FROM clock_timestamp() - finished_at)::bigint) AS ages_seconds
    FROM newest WHERE fingerprint IS NOT NULL GROUP BY fingerprint
    ORDER BY max(finished_at) DESC LIMIT {MAX_GROUPS}
""")


class FailureQueries:
    """Reads failures, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def groups(self) -> Sequence[FailureGroup]:
        """What failed alike, among the newest failed jobs; what failed last, first."""
        rows = (await self._connection.execute(_GROUPS)).mappings()
        return [FailureGroup(**(dict(row) | {"ages_seconds": tuple(row["ages_seconds"])})) for row in rows]
