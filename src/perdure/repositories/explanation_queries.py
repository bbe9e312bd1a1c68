"""Reads what is around a job that explains why it stands where it stands. Its cost does not grow with the queue."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.explanation import AHEAD_COUNTED, HOLDERS_NAMED, Capacity, Holder, ReachedLimit, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.queue_queries import QueueQueries
from perdure.repositories.statements import NOW

LOOKED_AT = 500
"""Earlier jobs that are looked at to learn how long attempts take."""
LATELY_SECONDS = 600

# Asks of the workers what the claim asks of them. Jobs ahead are those that a claim of the queue takes first; of those
# under a limit, the ones that wait for the same slots.
_CAPACITY = text("""
    WITH worker AS (
        SELECT concurrency,
               queues = '{}' OR :queue = ANY (queues) AS serves,
               :job_type = ANY (job_types) AS knows,
               sees_files OR NOT :names_files AS sees,
               (SELECT count(*) FROM perdure.jobs AS job
                WHERE job.status = 'RUNNING' AND job.worker_id = workers.worker_id) AS running
        FROM perdure.workers AS workers WHERE lease_until > clock_timestamp() AND draining_since IS NULL)
    SELECT count(*) AS alive,
           count(*) FILTER (WHERE serves) AS serving_queue,
           count(*) FILTER (WHERE serves AND knows) AS knowing_type,
           count(*) FILTER (WHERE serves AND knows AND sees) AS able,
           coalesce(sum(concurrency) FILTER (WHERE serves AND knows AND sees), 0)::bigint AS slots,
           coalesce(sum(running) FILTER (WHERE serves AND knows AND sees), 0)::bigint AS running,
           (SELECT count(*) FROM (
                (SELECT FROM perdure.jobs AS job
                 WHERE NOT :is_limited AND job.status = 'QUEUED' AND NOT job.is_limited AND job.queue = :queue
                   AND ROW(job.rank, job.run_at, job.job_id) < ROW(:rank, :run_at, :job_id)
                 LIMIT :counted)
                UNION ALL
                (SELECT FROM perdure.jobs AS job
                 WHERE :is_limited AND job.status = 'QUEUED' AND job.is_limited AND job.queue = :queue
                   AND job.job_type = :job_type AND coalesce(job.concurrency_key, '') = :key
                   AND ROW(job.rank, job.run_at, job.job_id) < ROW(:rank, :run_at, :job_id)
                 LIMIT :counted)) AS counted) AS ahead
    FROM worker
""")

# The limits of the job's key and of its type, as the claim counts them: as many rows are read as run under any limit.
_LIMITS = text(f"""
    WITH running AS MATERIALIZED (
        SELECT job.job_id, job.job_type, job.concurrency_key, job.started_at, type.max_concurrent_per_key
        FROM perdure.jobs AS job JOIN perdure.job_types AS type USING (job_type)
        WHERE job.status = 'RUNNING' AND job.is_limited),
    own AS (SELECT max_concurrent, max_concurrent_per_key FROM perdure.job_types WHERE job_type = :job_type),
    taken AS (
        SELECT 'concurrency_key' AS limit_of, min(max_concurrent_per_key) AS allowed, count(*) AS running,
               array_agg(job_id ORDER BY started_at) AS job_ids
        FROM running WHERE concurrency_key = CAST(:key AS text)
        UNION ALL
        SELECT 'job_type', NULL, count(*), array_agg(job_id ORDER BY started_at)
        FROM running WHERE job_type = :job_type),
    judged AS (
        SELECT limit_of, running, job_ids,
               CASE limit_of WHEN 'job_type' THEN own.max_concurrent
                             ELSE least(own.max_concurrent_per_key, taken.allowed) END AS allowed
        FROM taken, own)
    SELECT limit_of, allowed, running, job_ids[1:{HOLDERS_NAMED}] AS held_by FROM judged
    WHERE running >= allowed AND running > 0
""")

# Jobs made just before this one in its queue are the best guess at those that are ahead of it; where none of them has
# ended lately, all attempts that did are. Both are bounded: so many jobs, so many minutes.
_ATTEMPT_SECONDS = text(f"""
    SELECT coalesce(
        (SELECT extract(epoch FROM avg(finished_at - started_at))
         FROM (SELECT queue, started_at, finished_at FROM perdure.jobs
               WHERE job_id < :job_id ORDER BY job_id DESC LIMIT {LOOKED_AT}) AS earlier
         WHERE queue = :queue AND finished_at > clock_timestamp() - make_interval(secs => {LATELY_SECONDS})
           AND finished_at >= started_at),
        (SELECT sum(duration_microseconds) / nullif(sum(attempts), 0) / 1e6 FROM perdure.job_tallies
         WHERE tallied_at > {NOW} - make_interval(secs => {LATELY_SECONDS})))::float8
""")

_HOLDER = text("""
    SELECT worker_id, hostname, process_id, lease_until, lease_until > clock_timestamp() AS alive
    FROM perdure.workers WHERE worker_id = :worker_id
""")


class ExplanationQueries:
    """Reads the surroundings of jobs, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def around(self, job: Job) -> Surroundings:
        """As much as the job's state asks for."""
        if job.is_waiting:
            paused = await QueueQueries(self._connection).pause_of(job.queue)
            if job.status is not JobStatus.QUEUED:
                return Surroundings(paused=paused)
            capacity = await self._capacity(job)
            is_busy = capacity.slots > 0 and capacity.free <= capacity.ahead
            return Surroundings(
                paused=paused,
                limits=await self._limits(job) if job.is_limited else (),
                capacity=capacity,
                attempt_seconds=await self._attempt_seconds(job) if is_busy else None,
            )
        if job.status is JobStatus.RUNNING:
            return Surroundings(holder=await self._holder(job))
        if job.is_final:
            deliveries = await DeliveryQueries(self._connection).of_job(job.job_id)
            return Surroundings(deliveries=[one for one in deliveries if one.run == job.run])
        return Surroundings()

    async def _capacity(self, job: Job) -> Capacity:
        parameters = {
            "queue": job.queue,
            "job_type": job.job_type,
            "names_files": job.names_files,
            "is_limited": job.is_limited,
            "key": job.concurrency_key or "",
            "rank": -job.priority,
            "run_at": job.run_at,
            "job_id": job.job_id,
            "counted": AHEAD_COUNTED,
        }
        return Capacity(**(await self._connection.execute(_CAPACITY, parameters)).mappings().one())

    async def _limits(self, job: Job) -> list[ReachedLimit]:
        wanted = {"job_type": job.job_type, "key": job.concurrency_key}
        return [ReachedLimit(**row) for row in (await self._connection.execute(_LIMITS, wanted)).mappings()]

    async def _attempt_seconds(self, job: Job) -> float | None:
        wanted = {"job_id": job.job_id, "queue": job.queue}
        seconds: float | None = (await self._connection.execute(_ATTEMPT_SECONDS, wanted)).scalar_one()
        return seconds

    async def _holder(self, job: Job) -> Holder | None:
        row = (await self._connection.execute(_HOLDER, {"worker_id": job.worker_id})).mappings().one_or_none()
        return None if row is None else Holder(**row)
