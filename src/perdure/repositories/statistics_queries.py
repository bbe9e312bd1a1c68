"""How the platform stands, read from small indexes alone: never a look through the finished jobs.

Every statement is bounded: by what its index holds, by a limit, or by a time window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.clock import first_id_at
from perdure.db.base import quoted
from perdure.models.delivery import LIVE as LIVE_DELIVERIES
from perdure.models.lifecycle import BECOMES_DUE
from perdure.models.statistics import (
    MAX_COUNT,
    MAX_QUEUES,
    Activity,
    BrokenCircuits,
    ProviderBacklog,
    QueueBacklog,
    Statistics,
)

TIMEOUT_MS = 2_000
MAX_HEADS = 2_000
MAX_COUNT_IN_ALL = 200_000
"""So many ready jobs are counted, shared out among the queues: at 3 µs each (measured), well within the timeout."""
MINUTE_SECONDS, HOUR_SECONDS = 60, 3600

# Holds until the transaction ends.
BOUND = text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}")

# The longest-waiting ready job of each queue, by one hop over an index for each queue and priority in use, and for each
# lane of jobs under a limit: its cost is their number, not that of jobs.
OLDEST = text(f"""
    WITH RECURSIVE heads AS (
        (SELECT queue, rank, run_at FROM perdure.jobs WHERE status = 'QUEUED' AND NOT is_limited
         ORDER BY queue, rank, run_at LIMIT 1)
        UNION ALL
        SELECT next.queue, next.rank, next.run_at FROM heads AS head CROSS JOIN LATERAL (
            SELECT job.queue, job.rank, job.run_at FROM perdure.jobs AS job
            WHERE job.status = 'QUEUED' AND NOT job.is_limited AND (job.queue, job.rank) > (head.queue, head.rank)
            ORDER BY job.queue, job.rank, job.run_at LIMIT 1) AS next),
    limited AS (
        (SELECT queue, job_type, coalesce(concurrency_key, '') AS key, rank, run_at FROM perdure.jobs
         WHERE status = 'QUEUED' AND is_limited
         ORDER BY queue, job_type, coalesce(concurrency_key, ''), rank, run_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM limited AS head CROSS JOIN LATERAL (
            SELECT job.queue, job.job_type, coalesce(job.concurrency_key, ''), job.rank, job.run_at
            FROM perdure.jobs AS job
            WHERE job.status = 'QUEUED' AND job.is_limited
              AND (job.queue, job.job_type, coalesce(job.concurrency_key, ''), job.rank)
                  > (head.queue, head.job_type, head.key, head.rank)
            ORDER BY job.queue, job.job_type, coalesce(job.concurrency_key, ''), job.rank, job.run_at
            LIMIT 1) AS next)
    SELECT queue, greatest(extract(epoch FROM clock_timestamp() - min(run_at)), 0)::float8 AS oldest_waiting_seconds
    FROM ((SELECT queue, run_at FROM heads LIMIT {MAX_HEADS})
          UNION ALL (SELECT queue, run_at FROM limited LIMIT {MAX_HEADS})) AS found
    GROUP BY queue ORDER BY min(run_at) LIMIT {MAX_QUEUES}
""")

# How many are ready in each of these queues, or the limit.
READY = text("""
    SELECT wanted.queue, (SELECT least(count(*), :limit) FROM (
        (SELECT FROM perdure.jobs AS job
         WHERE job.status = 'QUEUED' AND NOT job.is_limited AND job.queue = wanted.queue LIMIT :limit)
        UNION ALL
        (SELECT FROM perdure.jobs AS job
         WHERE job.status = 'QUEUED' AND job.is_limited AND job.queue = wanted.queue LIMIT :limit)) AS ready) AS queued
    FROM unnest(CAST(:queues AS text[])) AS wanted(queue)
""")

# What is not due yet, the soonest first.
NOT_DUE = text(f"""
    SELECT queue, status, count(*) FROM (
        SELECT queue, status FROM perdure.jobs WHERE status IN ({quoted(BECOMES_DUE)})
        ORDER BY run_at LIMIT :limit) AS waiting
    GROUP BY queue, status ORDER BY count(*) DESC LIMIT {2 * MAX_QUEUES}
""")

# What runs, by queue. It is no more than the living workers have slots, and what waits to be rescued.
RUNNING = text(f"""
    SELECT queue, count(*) AS running FROM perdure.jobs WHERE status = 'RUNNING'
    GROUP BY queue ORDER BY count(*) DESC, queue LIMIT {MAX_QUEUES}
""")

# One row: what runs, and who could run it. Living workers bound how many jobs can be running.
LIVE = text("""
    SELECT clock_timestamp() AS measured_at,
           (SELECT count(*) FROM perdure.jobs WHERE status = 'RUNNING') AS running,
           worker.*
    FROM (SELECT count(*) AS workers_alive, coalesce(sum(concurrency), 0) AS slots
          FROM perdure.workers WHERE lease_until > clock_timestamp()) AS worker
""")

# Which deliveries wait, by provider, the soonest first.
WAITING_DELIVERIES = text(f"""
    SELECT provider, count(*) AS waiting,
           extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_seconds
    FROM (SELECT provider, created_at FROM perdure.deliveries WHERE status IN ({quoted(LIVE_DELIVERIES)})
          ORDER BY next_attempt_at LIMIT :limit) AS waiting
    GROUP BY provider ORDER BY provider
""")

# There are few circuits: one for each destination that failed lately, or has a rate.
CIRCUITS = text("""
    SELECT provider, state, count(*) AS number FROM perdure.circuits
    WHERE state <> 'CLOSED' GROUP BY provider, state ORDER BY provider, state LIMIT :limit
""")

# Ids are ordered by time, so the primary key answers which are the newest.
DELIVERIES = text("""
    SELECT status, count(*) FROM (
        SELECT status FROM perdure.deliveries WHERE delivery_id >= :first_id
        ORDER BY delivery_id DESC LIMIT :limit) AS newest
    GROUP BY status ORDER BY status
""")

ACTIVITY = text(f"""
    SELECT coalesce(sum(submitted), 0) AS submitted, coalesce(sum(succeeded), 0) AS succeeded,
           coalesce(sum(failed), 0) AS failed, coalesce(sum(cancelled), 0) AS cancelled,
           coalesce(sum(retried), 0) AS retried,
           (sum(wait_microseconds) / nullif(sum(attempts), 0) / 1e6)::float8 AS mean_wait_seconds,
           (sum(duration_microseconds) / nullif(sum(attempts), 0) / 1e6)::float8 AS mean_duration_seconds
    FROM (VALUES ({MINUTE_SECONDS}), ({HOUR_SECONDS})) AS stretch(seconds)
    LEFT JOIN perdure.job_tallies ON tallied_at > clock_timestamp() - make_interval(secs => stretch.seconds)
    GROUP BY stretch.seconds ORDER BY stretch.seconds
""")


class StatisticsQueries:
    """Reads how the platform stands, on one connection and within two seconds a statement."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def read(self) -> Statistics:
        await self._connection.execute(BOUND)
        oldest = {row["queue"]: row["oldest_waiting_seconds"] for row in await self._rows(OLDEST)}
        limit = min(MAX_COUNT, MAX_COUNT_IN_ALL // max(len(oldest), 1))
        ready = {row["queue"]: row["queued"] for row in await self._rows(READY, queues=list(oldest), limit=limit)}
        not_due = await self._rows(NOT_DUE, limit=limit)
        running = await self._rows(RUNNING)
        [live] = await self._rows(LIVE)
        providers = await self._rows(WAITING_DELIVERIES, limit=limit)
        circuits = await self._rows(CIRCUITS, limit=limit)
        since = first_id_at(live["measured_at"] - timedelta(days=1))
        deliveries = await self._rows(DELIVERIES, first_id=since, limit=limit)
        last_minute, last_hour = (Activity(**row) for row in await self._rows(ACTIVITY))
        return Statistics(
            **live,
            count_limit=limit,
            queues=_backlogs(oldest, ready, not_due, running),
            providers=tuple(ProviderBacklog(**row) for row in providers),
            circuits=tuple(BrokenCircuits(**row) for row in circuits),
            deliveries={row["status"]: row["count"] for row in deliveries},
            last_minute=last_minute,
            last_hour=last_hour,
        )

    async def _rows(self, statement: TextClause, **parameters: Any) -> Sequence[RowMapping]:
        return (await self._connection.execute(statement, parameters)).mappings().all()


def _backlogs(
    oldest: Mapping[str, float],
    ready: Mapping[str, int],
    not_due: Sequence[RowMapping],
    running: Sequence[RowMapping],
) -> tuple[QueueBacklog, ...]:
    """What waits and runs, by queue, in order of name."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for queue, seconds in oldest.items():
        found[queue] = {"queued": ready[queue], "oldest_waiting_seconds": seconds}
    for row in not_due:
        found[row["queue"]][row["status"].lower()] = row["count"]
    for row in running:
        found[row["queue"]]["running"] = row["running"]
    return tuple(QueueBacklog(queue=queue, **found[queue]) for queue in sorted(found))
