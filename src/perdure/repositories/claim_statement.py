"""The statement by which a worker takes jobs, and the selection of those that nothing but their order holds back.

The claims of ``repositories/job_claims.py``, and those under limits (``repositories/limit_repository.py``), are made of
these parts.
"""

from __future__ import annotations

from perdure.repositories.mappers import JOB_COLUMNS
from perdure.repositories.statements import column_list

# The distinct queues with jobs that no limit holds for, by hopping over the index: its cost is the number of queues,
# not of jobs.
READY_QUEUES = """
    WITH RECURSIVE ready AS (
        (SELECT queue FROM perdure.jobs WHERE status = 'QUEUED' AND NOT is_limited ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT job.queue FROM perdure.jobs AS job
                WHERE job.status = 'QUEUED' AND NOT job.is_limited AND job.queue > ready.queue
                ORDER BY job.queue LIMIT 1)
        FROM ready WHERE ready.queue IS NOT NULL)
    SELECT queue FROM ready WHERE queue IS NOT NULL"""


def claim_of(job_ids: str, worker_id: str = ":worker_id", returned: str = column_list(JOB_COLUMNS, "job")) -> str:
    """The statement that gives the jobs which ``job_ids`` selects to a worker, while its own lease lives.

    ARRAY(...) keeps the planner from joining the subquery to the whole table.
    """
    return f"""
    UPDATE perdure.jobs AS job
    SET status = 'RUNNING', attempt = job.attempt + 1, fence = job.fence + 1,
        worker_id = {worker_id}, started_at = clock_timestamp()
    WHERE job.job_id = ANY (ARRAY({job_ids}))
    AND EXISTS (SELECT FROM perdure.workers AS worker
                WHERE worker.worker_id = {worker_id} AND worker.lease_until > clock_timestamp())
    RETURNING {returned}"""


def ready(
    columns: str,
    *,
    queue: str = ":queue",
    start: str | None = "ROW(CAST(:rank AS smallint), CAST(:run_at AS timestamptz), CAST(:job_id AS uuid))",
    job_types: str = "CAST(:job_types AS text[])",
    sees_files: str = ":sees_files",
    limit: str = ":limit",
) -> str:
    """Selects ready jobs that no limit holds for, in order, each for one claimer only (SKIP LOCKED).

    None of a queue that somebody paused, and none whose time is over, though it is not failed yet. The comparison of
    rows with ``start`` is where the scan of the index begins: what lies before is not read, however many dead entries
    it is. None begins at the first.
    """
    begins = "" if start is None else f"AND ROW(ready.rank, ready.run_at, ready.job_id) >= {start}"
    return f"""
        SELECT {columns} FROM perdure.jobs AS ready
        WHERE ready.status = 'QUEUED' AND NOT ready.is_limited AND ready.queue = {queue}
          AND NOT EXISTS (SELECT FROM perdure.queues AS paused WHERE paused.name = {queue})
          AND ready.job_type = ANY ({job_types})
          AND ({sees_files} OR NOT ready.names_files)
          AND (ready.expires_at IS NULL OR ready.expires_at > clock_timestamp())
          {begins}
        ORDER BY ready.rank, ready.run_at, ready.job_id
        LIMIT {limit}
        FOR UPDATE SKIP LOCKED"""
