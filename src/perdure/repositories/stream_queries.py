"""What the stream is read from: recorded events in the order of their ids, what runs, what is being told.

Nothing is written for it. Every statement is bounded, by a limit or by what its index holds, and its joins begin at the
few rows that are wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import Json, quoted
from perdure.models.delivery import LIVE
from perdure.models.event_tail import EventTail, Gap, Writers

RECENT_IDS = 20_000
"""An id that is missing among so many may belong to a transaction that is under way as the reading begins."""

_NEWEST = text("SELECT coalesce(max(event_id), 0) FROM perdure.job_events")

# Which of the recent ids are missing, as ranges.
_MISSING = text("""
    SELECT first, last FROM (
        SELECT lag(event_id, 1, CAST(:after AS bigint)) OVER (ORDER BY event_id) + 1 AS first, event_id - 1 AS last
        FROM perdure.job_events WHERE event_id > :after AND event_id <= :position) AS between_two
    WHERE first <= last ORDER BY first
""")

# Whoever has been given an id of an event has held this lock since before, and will until its transaction has ended
# and what it wrote is seen. Locks are read as they are, not as of a snapshot.
_WRITERS = text("""
    SELECT DISTINCT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = 'perdure.job_events'::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

_COLUMNS = "event_id, job_id, run, attempt, event, at, started_at, data"

# The next events, and those that have appeared in gaps; what belongs to jobs that are removed has no job_type.
_EVENTS = text(f"""
    SELECT event.*, job.*
    FROM ((SELECT {_COLUMNS} FROM perdure.job_events WHERE event_id > :position ORDER BY event_id LIMIT :limit)
          UNION ALL
          SELECT late.* FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS gap(first, last)
          CROSS JOIN LATERAL (
              SELECT {_COLUMNS} FROM perdure.job_events
              WHERE event_id BETWEEN gap.first AND gap.last ORDER BY event_id LIMIT :limit) AS late) AS event
    LEFT JOIN LATERAL (
        SELECT job_type, queue, tags, notifications IS NOT NULL AS tells FROM perdure.jobs AS one
        WHERE one.job_id = event.job_id LIMIT 1) AS job ON true
    ORDER BY event.event_id
""").columns(data=Json, tags=Json)

_RUNNING = text("""
    SELECT job_id, job_type, queue, tags, run, attempt, fence, worker_id, started_at, progress
    FROM perdure.jobs WHERE status = 'RUNNING' ORDER BY worker_id LIMIT :limit
""").columns(progress=Json, tags=Json)

# Of these jobs, these deliveries, and those that live, the first due first.
_DELIVERIES = text(f"""
    SELECT delivery.delivery_id, delivery.job_id, delivery.run, delivery.event, delivery.channel, delivery.provider,
           delivery.status, delivery.reason, delivery.attempts, delivery.created_at, delivery.finished_at,
           job.job_type, job.queue, job.tags, job.attempt
    FROM perdure.deliveries AS delivery
    CROSS JOIN LATERAL (SELECT job_type, queue, tags, attempt FROM perdure.jobs AS one
                        WHERE one.job_id = delivery.job_id LIMIT 1) AS job
    WHERE delivery.delivery_id = ANY (ARRAY(
        SELECT delivery_id FROM perdure.deliveries WHERE job_id = ANY (CAST(:job_ids AS uuid[]))
        UNION SELECT known.delivery_id FROM unnest(CAST(:delivery_ids AS uuid[])) AS known(delivery_id)
        UNION (SELECT delivery_id FROM perdure.deliveries WHERE status IN ({quoted(LIVE)})
               ORDER BY next_attempt_at LIMIT :limit)))
    ORDER BY delivery.delivery_id
""").columns(tags=Json)


class StreamQueries:
    """Reads what happens, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def tail(self) -> EventTail:
        """The end of what is recorded by now."""
        position: int = (await self._connection.execute(_NEWEST)).scalar_one()
        after = max(position - RECENT_IDS, 0)
        missing = await self._rows(_MISSING, position=position, after=after)
        return EventTail(position, [Gap(row["first"], row["last"]) for row in missing])

    async def writers(self) -> Writers:
        """Who is writing events just now."""
        return frozenset((await self._connection.execute(_WRITERS)).scalars())

    async def events(self, tail: EventTail, limit: int) -> Sequence[RowMapping]:
        """Up to ``limit`` events after the tail's position, and up to as many in each of its gaps."""
        firsts, lasts = [gap.first for gap in tail.gaps], [gap.last for gap in tail.gaps]
        return await self._rows(_EVENTS, position=tail.position, firsts=firsts, lasts=lasts, limit=limit)

    async def running(self, limit: int) -> Sequence[RowMapping]:
        return await self._rows(_RUNNING, limit=limit)

    async def deliveries(
        self, job_ids: Collection[UUID], delivery_ids: Collection[UUID], limit: int
    ) -> Sequence[RowMapping]:
        """All deliveries of these jobs, these, and up to ``limit`` that are not settled."""
        return await self._rows(_DELIVERIES, job_ids=list(job_ids), delivery_ids=list(delivery_ids), limit=limit)

    async def _rows(self, statement: Executable, **parameters: Any) -> Sequence[RowMapping]:
        return (await self._connection.execute(statement, parameters)).mappings().all()
