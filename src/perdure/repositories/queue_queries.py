"""The read side of the queues: which are paused, and how many workers serve them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.queue import PausedQueue

_PAUSED = text("SELECT name, paused_at, paused_by, pause_reason FROM perdure.queues ORDER BY name")

_PAUSE_OF = text("SELECT name, paused_at, paused_by, pause_reason FROM perdure.queues WHERE name = :name")

# Workers that take jobs, by each queue that they name; NULL: they name none.
_SERVING = text("""
    SELECT queue, count(DISTINCT worker_id) AS workers
    FROM perdure.workers AS worker LEFT JOIN LATERAL unnest(worker.queues) AS named(queue) ON true
    WHERE worker.lease_until > clock_timestamp() AND worker.draining_since IS NULL
    GROUP BY queue
""")


class QueueQueries:
    """Reads queues, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def paused(self) -> list[PausedQueue]:
        """The queues that give no jobs, in order of name."""
        return [PausedQueue(**row) for row in (await self._connection.execute(_PAUSED)).mappings()]

    async def pause_of(self, name: str) -> PausedQueue | None:
        """Who paused the queue; None when it gives its jobs."""
        row = (await self._connection.execute(_PAUSE_OF, {"name": name})).mappings().one_or_none()
        return None if row is None else PausedQueue(**row)

    async def serving(self) -> Mapping[str | None, int]:
        """How many living workers name each queue; under None, how many serve every queue."""
        return {row.queue: row.workers for row in await self._connection.execute(_SERVING)}
