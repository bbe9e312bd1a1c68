"""Claims ready jobs of all queues in one statement: one round trip to take up to as many as a worker has slots.

It is a transaction of its own, on the driver's connection: begun, looked through queue by queue and committed in
statements of their own, and read through the engine's rows, a claim of 500 jobs cost 16 us a job; so it costs 4. The
jobs that a limit holds for are claimed in ``repositories/limit_repository.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from perdure.db.driver import Fetcher
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.place import START, Place
from perdure.repositories.claim_statement import READY_QUEUES, claim_of, ready
from perdure.repositories.mappers import JOB_COLUMNS, present, retry_policy

# What a claim returns is made into jobs in 2 us each, where whole rows took 6: times come as seconds since 1970 (a
# datetime takes the driver 0.7 us, and us 0.3), what the claim makes the same of all does not come, and what most jobs
# do without is not looked at one by one where it is NULL.
_USUAL = (
    *("job_id", "job_type", "queue", "rank", "run", "attempt", "max_attempts", "fence"),
    *("timeout_seconds", "retry_base_seconds", "retry_max_seconds", "payload", "run_at", "created_at", "started_at"),
)
_TIMES = ("run_at", "created_at", "started_at")
_ABSENT = {"tags": "'[]'", "names_files": "false", "is_limited": "false", "snoozes": "0"}
"""What stands for a field's absence where that is not NULL."""
_RARE = tuple(name for one in JOB_COLUMNS if (name := one.name) not in {*_USUAL, "status", "worker_id"})
_NONE = [None] * len(_RARE)


def _returned(name: str) -> str:
    if name in _TIMES:
        return f"date_part('epoch', job.{name}) AS {name}"
    return f"nullif(job.{name}, {_ABSENT[name]}) AS {name}" if name in _ABSENT else f"job.{name}"


_RETURNED = ", ".join(map(_returned, (*_USUAL, *_RARE)))
_PLACE = itemgetter("queue", "rank", "run_at", "job_id")
_MARKS = "SELECT * FROM unnest($5::text[], $6::smallint[], $7::timestamptz[], $8::uuid[])"


def _claim(source: str, start: str | None) -> str:
    """Claims from the queues of ``source`` one after the other: a nested loop, and the last of it is not begun."""
    first = ready(
        "ready.job_id", queue="mark.queue", start=start, job_types="$2::text[]", sees_files="$4", limit="$3::bigint"
    )
    return claim_of(
        f"""
        SELECT ready.job_id FROM ({source}) AS mark(queue{"" if start is None else ", rank, run_at, job_id"})
        CROSS JOIN LATERAL ({first}) AS ready
        LIMIT $3::bigint""",
        worker_id="$1",
        returned=_RETURNED,
    )


_CLAIM_FROM_ALL = _claim(READY_QUEUES, None)
_CLAIM_FROM_MARKS = _claim(_MARKS, "ROW(mark.rank, mark.run_at, mark.job_id)")


class JobClaims:
    """Takes jobs, on a connection of the driver's own."""

    def __init__(self, driver: Fetcher) -> None:
        self._driver = driver

    async def claim(
        self,
        queues: Sequence[str] | Mapping[str, Place],
        job_types: Sequence[str],
        limit: int,
        worker_id: UUID,
        *,
        sees_files: bool = True,
    ) -> list[Job]:
        """Takes up to ``limit`` ready jobs for ``worker_id``: each is RUNNING, its fence raised.

        They are the first of ``queues`` (empty sequence: of all there are, in the order of their names), in each from
        the place that a mapping names for it, and returned in order. One that does not see the file store gets no job
        that names a file.
        """
        wanted = worker_id, job_types, limit, sees_files
        if not queues and not isinstance(queues, Mapping):
            records = await self._driver.fetch(_CLAIM_FROM_ALL, *wanted)
        else:
            marks = queues if isinstance(queues, Mapping) else dict.fromkeys(queues, START)
            places = zip(*marks.values(), strict=True) if marks else ((), (), ())
            records = await self._driver.fetch(_CLAIM_FROM_MARKS, *wanted, list(marks), *map(list, places))
        return [_job(record.values(), worker_id) for record in sorted(records, key=_PLACE)]


def _job(values: Iterable[Any], worker_id: UUID) -> Job:
    """The job that a row of ``_RETURNED`` is, which now is ``worker_id``'s."""
    job_id, job_type, queue, rank, run, attempt, max_attempts, fence, timeout, base, longest, payload, *rest = values
    run_at, created_at, started_at, *rare = rest
    due = datetime.fromtimestamp(run_at, UTC)
    fields = {
        "job_id": job_id,
        "job_type": job_type,
        "queue": queue,
        "priority": -rank,
        "status": JobStatus.RUNNING,
        "run": run,
        "attempt": attempt,
        "max_attempts": max_attempts,
        "fence": fence,
        "worker_id": worker_id,
        "timeout_seconds": timeout,
        "retry": retry_policy(base, longest),
        "payload": payload,
        "run_at": due,
        "created_at": due if created_at == run_at else datetime.fromtimestamp(created_at, UTC),
        "started_at": datetime.fromtimestamp(started_at, UTC),
    }
    if rare != _NONE:
        fields |= present(dict(zip(_RARE, rare, strict=True)), *_RARE)
    return Job.of(fields)
