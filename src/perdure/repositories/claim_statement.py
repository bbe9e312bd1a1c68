"""The statement by which a worker takes jobs, and the selection of those that nothing but their order holds back.

The claim under limits is made of the same parts (repositories/limit_repository.py).
"""

from __future__ import annotations

from perdure.repositories.mappers import JOB_COLUMNS
from perdure.repositories.statements import column_list


def claim_of(job_ids: str) -> str:
    """The statement that gives the jobs which ``job_ids`` selects to a worker, while its own lease lives.

    ARRAY(...) keeps the planner from joining the subquery to the whole table.
    """
    return f"""
    UPDATE perdure.jobs AS job
    SET status = 'RUNNING', attempt = job.attempt + 1, fence = job.fence + 1,
        worker_id = :worker_id, started_at = clock_timestamp()
    WHERE job.job_id = ANY (ARRAY({job_ids}))
    AND EXISTS (SELECT FROM perdure.workers AS worker
                WHERE worker.worker_id = :worker_id AND worker.lease_until > clock_timestamp())
    RETURNING {column_list(JOB_COLUMNS, "job")}"""


def ready(columns: str) -> str:
    """Selects ready jobs that no limit holds for, in order, each for one claimer only (SKIP LOCKED).

    None of a queue that somebody paused, and none whose time is over, though it is not failed yet. The comparison of
    rows is where the scan of the index begins: what lies before is not read, however many dead entries it is.
    """
    return f"""
        SELECT {columns} FROM perdure.jobs AS ready
        WHERE ready.status = 'QUEUED' AND NOT ready.is_limited AND ready.queue = :queue
          AND NOT EXISTS (SELECT FROM perdure.queues AS paused WHERE paused.name = :queue)
          AND ready.job_type = ANY (CAST(:job_types AS text[]))
          AND (:sees_files OR NOT ready.names_files)
          AND (ready.expires_at IS NULL OR ready.expires_at > clock_timestamp())
          AND ROW(ready.rank, ready.run_at, ready.job_id)
              >= ROW(CAST(:rank AS smallint), CAST(:run_at AS timestamptz), CAST(:job_id AS uuid))
        ORDER BY ready.rank, ready.run_at, ready.job_id
        LIMIT :limit
        FOR UPDATE SKIP LOCKED"""
