"""Claims ready jobs of all queues in one statement: one round trip to take up to as many as a worker has slots.

It is a transaction of its own, on the driver's connection: begun, looked through queue by queue and committed in
statements of their own, and read through the engine's rows, a claim of 500 jobs cost 16 us a job; so it costs 4. The
jobs that a limit holds for are claimed in ``repositories/limit_repository.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from perdure.db.driver import Fetcher
from perdure.models.job import Job
from perdure.models.place import START, Place
from perdure.repositories.claim_statement import READY_QUEUES, claim_of, ready
from perdure.repositories.mappers import job_from_row

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
        return [job_from_row(record.items()) for record in sorted(records, key=_place)]


def _place(record: Any) -> tuple[Any, ...]:
    return record["queue"], record["rank"], record["run_at"], record["job_id"]
