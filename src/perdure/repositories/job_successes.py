"""Writes what nearly every step of a job is, in one statement with its event: a running job SUCCEEDED, and that is all.

Any other transition is written by ``repositories/job_repository.py``, with 15 arrays and a statement of its own for the
events; that cost PostgreSQL and us 12 us a job more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from perdure.db.driver import Fetcher
from perdure.db.session import dump_json
from perdure.models.job import Transition

# The fence, as for any transition. Who runs has a worker, says a CHECK: asked for the status, the planner may read all
# running jobs. And each job is looked up by its id: asked besides for any of these ids, a generic plan may go through
# all of them for each job.
_SUCCEED = """
    WITH written AS (
        UPDATE perdure.jobs AS job
        SET status = 'SUCCEEDED', finished_at = to_timestamp(new.at), result = new.result::jsonb, error = NULL,
            progress = NULL, worker_id = NULL
        FROM unnest($1::uuid[], $2::bigint[], $3::float8[], $4::text[]) AS new(job_id, fence, at, result)
        WHERE job.job_id = new.job_id AND job.fence = new.fence AND job.worker_id IS NOT NULL
          AND job.cancel_requested_at IS NULL
        RETURNING job.job_id, job.fence, job.run, job.attempt, job.finished_at, job.started_at),
    told AS (
        INSERT INTO perdure.job_events (job_id, run, attempt, event, at, started_at, data)
        SELECT job_id, run, attempt, 'SUCCESS', finished_at, started_at, $5::jsonb FROM written)
    SELECT count(*) AS number, CASE WHEN count(*) < cardinality($1) THEN array_agg(job_id) END AS job_ids,
        CASE WHEN count(*) < cardinality($1) THEN array_agg(fence) END AS fences
    FROM written
"""


class JobSuccesses:
    """Writes them in a transaction, or in one of their own: as the driver is that they are written by."""

    def __init__(self, driver: Fetcher) -> None:
        self._driver = driver

    async def write(self, transitions: Sequence[Transition]) -> set[tuple[UUID, int]]:
        """Writes those plain successes that still hold, and their events; returns the claims that they ended."""
        of_workers: dict[UUID | None, list[Transition]] = defaultdict(list)
        for one in transitions:
            of_workers[one.before.worker_id].append(one)
        written: set[tuple[UUID, int]] = set()
        for successes in of_workers.values():
            written.update(await self._write(successes))
        return written

    async def _write(self, transitions: Sequence[Transition]) -> Iterable[tuple[UUID, int]]:
        """Those of one worker, whom all of their events name."""
        results = [one.changes["result"] for one in transitions]
        job_ids, fences = ([one.before.job_id for one in transitions], [one.before.fence for one in transitions])
        [written] = await self._driver.fetch(
            _SUCCEED,
            job_ids,
            fences,
            [one.at.timestamp() for one in transitions],
            [None if result is None else dump_json(result) for result in results],
            dump_json(transitions[0].data),
        )
        if written["number"] == len(transitions):
            return zip(job_ids, fences, strict=True)
        return zip(written["job_ids"] or (), written["fences"] or (), strict=True)
