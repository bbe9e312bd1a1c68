"""Reads what is around a job that explains why it stands where it stands. Its cost does not grow with the queue."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.explanation import AHEAD_COUNTED, Capacity, Holder, Surroundings
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.repositories.delivery_queries import DeliveryQueries

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
        FROM perdure.workers AS workers WHERE lease_until > clock_timestamp())
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
        if job.status is JobStatus.QUEUED:
            return Surroundings(capacity=await self._capacity(job))
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

    async def _holder(self, job: Job) -> Holder | None:
        row = (await self._connection.execute(_HOLDER, {"worker_id": job.worker_id})).mappings().one_or_none()
        return None if row is None else Holder(**row)
