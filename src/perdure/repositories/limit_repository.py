"""Claims jobs of which only so many may run at a time: of one type, and of one ``concurrency_key``.

How many run is counted anew at each claim, from the rows that are RUNNING: nothing can leak, and what a dead worker
held is free with its rescue. Whoever claims holds a lock for each limit concerned until the transaction ends, and
counts once it has them, so that two claims never both take the last slot. Nobody waits for such a lock: what somebody
else claims from just then is left to them. So there is no deadlock, and no other job waits for one that has a limit.

Those that wait are indexed by lane (models/lane.py). One without a free slot is stepped over whole, however long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import quoted
from perdure.models.job import Job
from perdure.models.lane import BEFORE_ALL, MAX_LANES, Lane, LaneName
from perdure.models.lifecycle import BECOMES_DUE
from perdure.models.place import START, Place
from perdure.repositories.claim_statement import READY_QUEUES, claim_of, ready
from perdure.repositories.mappers import JOB_COLUMNS, job_from_row

_KEY = "coalesce(job.concurrency_key, '')"

# How many run of each key and of each type, and the least that a type of theirs allows of the key: as many rows are
# read as run under a limit.
_RUNNING = """
    running AS MATERIALIZED (
        SELECT job.concurrency_key AS key, job.job_type, type.max_concurrent_per_key AS per_key
        FROM perdure.jobs AS job JOIN perdure.job_types AS type USING (job_type)
        WHERE job.status = 'RUNNING' AND job.is_limited),
    of_key AS MATERIALIZED (
        SELECT key, count(*) AS number, min(per_key) AS per_key FROM running WHERE key IS NOT NULL GROUP BY key),
    of_type AS MATERIALIZED (SELECT job_type, count(*) AS number FROM running GROUP BY job_type)
"""

# The lanes with the slots that are free under their key and under their type; NULL: it has no limit.
_ROOM = """
    SELECT lane.*, type.max_concurrent, type.max_concurrent - coalesce(of_type.number, 0) AS room_of_type,
           CASE WHEN lane.key <> ''
                THEN least(type.max_concurrent_per_key, of_key.per_key) - coalesce(of_key.number, 0) END AS room_of_key
    FROM lane JOIN perdure.job_types AS type USING (job_type) LEFT JOIN of_key USING (key)
        LEFT JOIN of_type USING (job_type)
"""


def _first_after(lane: str) -> str:
    """The first ready job of the first lane after the one named, by one descent of the index."""
    name = f"job.queue, job.job_type, {_KEY}"
    return f"""
        SELECT job.queue, job.job_type, {_KEY} AS key, job.rank, job.run_at, job.job_id, job.names_files
        FROM perdure.jobs AS job WHERE job.status = 'QUEUED' AND job.is_limited AND ROW({name}) > ROW({lane})
        ORDER BY {name}, job.rank, job.run_at, job.job_id LIMIT 1"""


# Walks over the lanes, and locks the limits of those with room whose first job comes first. (Of a key that types share,
# the one that comes first must have room: it is not overtaken by a type that allows more. And lanes whose first job is
# not for who walks, for it sees no files, come after the others: they may have nothing else.) Nobody else starts a job
# under them until the transaction ends; how much room there is must be counted again, for somebody may have had the
# lock after this statement had counted, and before it asked.
_WALK = text(f"""
    WITH RECURSIVE head AS (
        ({_first_after("CAST(:queue AS text), CAST(:job_type AS text), CAST(:key AS text)")})
        UNION ALL
        SELECT next.* FROM head CROSS JOIN LATERAL ({_first_after("head.queue, head.job_type, head.key")}) AS next),
    lane AS MATERIALIZED (SELECT * FROM head LIMIT {MAX_LANES}),
    {_RUNNING},
    judged AS MATERIALIZED (
        SELECT *, job_type = ANY (CAST(:job_types AS text[])) AND room_of_type > 0 IS NOT FALSE
                  AND bool_and(room_of_key > 0) FILTER (WHERE job_type = ANY (CAST(:job_types AS text[])))
                      OVER (PARTITION BY queue, key ORDER BY rank, run_at, job_id) IS NOT FALSE
                  AND (CAST(:queues AS text[]) = '{{}}' OR queue = ANY (CAST(:queues AS text[])))
                  AND queue <> ALL (ARRAY(SELECT name FROM perdure.queues)) AS has_room
        FROM ({_ROOM}) AS lane),
    numbered AS MATERIALIZED (
        SELECT *, row_number() OVER (PARTITION BY has_room
                                     ORDER BY names_files AND NOT :sees_files, rank, run_at, job_id) AS number
        FROM judged)
    SELECT queue, job_type, key, has_room,
           CASE WHEN has_room AND number <= :limit
                THEN (key = '' OR pg_try_advisory_xact_lock(hashtextextended('perdure key ' || key, 0)))
                     AND (max_concurrent IS NULL
                          OR pg_try_advisory_xact_lock(hashtextextended('perdure type ' || job_type, 0)))
                ELSE false END AS is_held
    FROM numbered ORDER BY queue, job_type, key
""")

# Of lanes whose limits the transaction has locked, as many as there is room for; with the queue's other jobs, in the
# order of all. Of a key that types share, up to the first that allows no more.
_CLAIM = text(
    claim_of(f"""
        WITH lane AS (SELECT * FROM unnest(CAST(:lane_job_type AS text[]), CAST(:lane_key AS text[]))
                                    AS held(job_type, key)
                      WHERE NOT EXISTS (SELECT FROM perdure.queues AS paused WHERE paused.name = :queue)),
        {_RUNNING},
        waiting AS MATERIALIZED (
            SELECT lane.*, job.rank, job.run_at, job.job_id
            FROM ({_ROOM}) AS lane CROSS JOIN LATERAL (
                SELECT job.rank, job.run_at, job.job_id FROM perdure.jobs AS job
                WHERE job.status = 'QUEUED' AND job.is_limited
                  AND job.queue = :queue AND job.job_type = lane.job_type AND {_KEY} = lane.key
                  AND (:sees_files OR NOT job.names_files)
                  AND (job.expires_at IS NULL OR job.expires_at > clock_timestamp())
                ORDER BY job.rank, job.run_at, job.job_id
                LIMIT greatest(least(:limit, lane.room_of_key, lane.room_of_type), 0)
                FOR UPDATE SKIP LOCKED) AS job),
        under_key AS (
            SELECT *, row_number() OVER of_key <= min(room_of_key) OVER of_key AS has_slot FROM waiting
            WINDOW of_key AS (PARTITION BY key ORDER BY rank, run_at, job_id)),
        under_type AS (
            SELECT *, row_number() OVER (PARTITION BY job_type ORDER BY rank, run_at, job_id) AS number
            FROM under_key WHERE key = '' OR has_slot)
        SELECT job_id FROM (
            SELECT rank, run_at, job_id FROM under_type WHERE number <= room_of_type IS NOT FALSE
            UNION ALL
            SELECT * FROM ({ready("ready.rank, ready.run_at, ready.job_id")}) AS ready) AS either
        ORDER BY rank, run_at, job_id LIMIT :limit
    """)
).columns(*JOB_COLUMNS)

_READY_QUEUES = text(READY_QUEUES)

_LIMITED_TYPES = "ARRAY(SELECT job_type FROM perdure.job_types WHERE max_concurrent IS NOT NULL)"

# Jobs that waited before their type was limited. What runs goes on uncounted.
_LIMIT_WAITING = text(f"""
    UPDATE perdure.jobs SET is_limited = true
    WHERE job_id = ANY (ARRAY(
        SELECT waiting.job_id FROM perdure.jobs AS waiting
        WHERE waiting.status = 'QUEUED' AND NOT waiting.is_limited AND waiting.job_type = ANY ({_LIMITED_TYPES})
        LIMIT :limit FOR UPDATE SKIP LOCKED)
    || ARRAY(
        SELECT waiting.job_id FROM perdure.jobs AS waiting
        WHERE waiting.status IN ({quoted(BECOMES_DUE)}) AND NOT waiting.is_limited
          AND waiting.job_type = ANY ({_LIMITED_TYPES})
        LIMIT :limit FOR UPDATE SKIP LOCKED))
""")

# The same for jobs that are about to wait once more.
_LIMIT = text(f"""
    UPDATE perdure.jobs SET is_limited = true
    WHERE job_id = ANY (CAST(:job_ids AS uuid[])) AND NOT is_limited AND job_type = ANY ({_LIMITED_TYPES})
""")


class LimitRepository:
    """The jobs that a limit holds for, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def walk(
        self,
        job_types: Sequence[str],
        queues: Sequence[str],
        limit: int,
        *,
        after: LaneName = BEFORE_ALL,
        sees_files: bool = True,
    ) -> list[Lane]:
        """Looks at ``MAX_LANES`` lanes after the one named, in order, and holds up to ``limit`` of those with room.

        Room is only for jobs of ``job_types`` and ``queues`` (none: all queues).
        """
        wanted = {"job_types": list(job_types), "queues": list(queues), "limit": limit, "sees_files": sees_files}
        found = await self._connection.execute(_WALK, wanted | after._asdict())
        return [Lane(LaneName(*name), has_room, is_held) for *name, has_room, is_held in found]

    async def ready_queues(self) -> set[str]:
        """Those with ready jobs that no limit holds for."""
        return set((await self._connection.execute(_READY_QUEUES)).scalars())

    async def claim(
        self,
        lanes: Sequence[LaneName],
        queue: str,
        job_types: Sequence[str],
        limit: int,
        worker_id: UUID,
        *,
        start: Place = START,
        sees_files: bool = True,
    ) -> list[Job]:
        """``JobClaims.claim`` from one queue, and besides from the lanes of it that this transaction holds."""
        names = {"lane_job_type": [lane.job_type for lane in lanes], "lane_key": [lane.key for lane in lanes]}
        wanted = {"queue": queue, "job_types": list(job_types), "limit": limit, "sees_files": sees_files}
        parameters = names | wanted | start._asdict() | {"worker_id": worker_id}
        jobs = [job_from_row(row) for row in (await self._connection.execute(_CLAIM, parameters)).mappings()]
        return sorted(jobs, key=lambda job: job.place)

    async def limit(self, job_ids: Sequence[UUID]) -> None:
        """Lets the limits of their types hold for jobs that were submitted when these had none."""
        await self._connection.execute(_LIMIT, {"job_ids": list(job_ids)})

    async def limit_waiting(self, limit: int) -> int:
        """Lets the limits of types hold for up to ``limit`` waiting jobs that knew of none; returns for how many."""
        return (await self._connection.execute(_LIMIT_WAITING, {"limit": limit})).rowcount
