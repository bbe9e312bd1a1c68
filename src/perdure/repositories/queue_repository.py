"""Which queues are paused, and whether somebody may still be claiming who does not know it yet."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.queue import PausedQueue

# Who paused it first is kept: to pause it again changes nothing.
_PAUSE = text("""
    INSERT INTO perdure.queues (name, paused_at, paused_by, pause_reason)
    VALUES (:name, :paused_at, :paused_by, :pause_reason)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING name, paused_at, paused_by, pause_reason
""")

_RESUME = text("DELETE FROM perdure.queues WHERE name = :name")

# The transactions of ours in which jobs are written. A claim has this lock on the table before it looks which queues
# are paused (a statement takes its snapshot after its locks), and until it is committed.
_WRITING = text("""
    SELECT held.virtualtransaction FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
    WHERE held.locktype = 'relation' AND held.relation = CAST('perdure.jobs' AS regclass)
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND held.mode = 'RowExclusiveLock' AND held.granted AND activity.application_name LIKE 'perdure/%'
""")


class QueueRepository:
    """The queues that somebody paused, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def pause(self, queue: PausedQueue) -> PausedQueue:
        """From its commit on, no claim that begins takes a job of the queue. Returns the pause that holds."""
        return PausedQueue(**(await self._connection.execute(_PAUSE, asdict(queue))).mappings().one())

    async def resume(self, name: str) -> bool:
        """Lets the queue give jobs again; whether it was paused."""
        return bool((await self._connection.execute(_RESUME, {"name": name})).rowcount)

    async def writing(self) -> set[str]:
        """Names the transactions under way in which processes of ours write jobs, claims among them."""
        return set((await self._connection.execute(_WRITING)).scalars())
