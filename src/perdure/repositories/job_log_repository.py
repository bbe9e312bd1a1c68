"""Keeps and reads the logs of jobs: the lines that their attempts write with ``ctx.log``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobLogLineRow
from perdure.models.job_log import LogLevel, LogLine, Room
from perdure.repositories.statements import column_list, insert, unnest

_COLUMNS = columns_of(JobLogLineRow)

# Each line once, however often it is written: whoever did not hear of a commit writes again. In one order, so that two
# who write the same wait for each other at most one way.
_ONCE = "ORDER BY new.job_id, new.line ON CONFLICT DO NOTHING"
_ADD = text(insert("perdure.job_log_lines", _COLUMNS, _ONCE))

# The fence: only lines of claims that still hold their jobs.
_ADD_HELD = text(f"""
    WITH held AS (
        SELECT job.job_id FROM perdure.jobs AS job
        JOIN unnest(CAST(:held AS uuid[]), CAST(:fences AS bigint[])) AS mine(job_id, fence) USING (job_id, fence)
        WHERE job.job_id = ANY (CAST(:held AS uuid[])) AND job.worker_id IS NOT NULL)
    INSERT INTO perdure.job_log_lines ({column_list(_COLUMNS)})
    SELECT {column_list(_COLUMNS, "new")} FROM {unnest(_COLUMNS, "new")}
    WHERE new.job_id IN (SELECT job_id FROM held)
    {_ONCE}
""")

# By the primary key, for each of these jobs; no run has more lines than it may keep, and one for each claim.
_USED = text("""
    SELECT wanted.job_id, used.lines, used.size_bytes
    FROM unnest(CAST(:job_ids AS uuid[]), CAST(:runs AS integer[])) AS wanted(job_id, run)
    CROSS JOIN LATERAL (
        SELECT count(*) AS lines, coalesce(sum(octet_length(kept.message)), 0) AS size_bytes
        FROM perdure.job_log_lines AS kept
        WHERE kept.job_id = wanted.job_id AND kept.run = wanted.run) AS used
""")

_OF_JOB = text(f"""
    SELECT {column_list(_COLUMNS)} FROM perdure.job_log_lines
    WHERE job_id = :job_id AND line > :after ORDER BY line LIMIT :limit
""")


class JobLogRepository:
    """Writes and reads, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, lines: Sequence[LogLine]) -> None:
        """Stores lines of attempts that the caller's transaction concludes."""
        await self._connection.execute(_ADD, _arrays(lines))

    async def add_held(self, lines: Sequence[LogLine], claims: Sequence[tuple[UUID, int]]) -> None:
        """Stores those of the lines whose claim (job id and fence) still holds its job; the others leave no trace."""
        held = {"held": [job_id for job_id, _ in claims], "fences": [fence for _, fence in claims]}
        await self._connection.execute(_ADD_HELD, _arrays(lines) | held)

    async def used(self, runs: Sequence[tuple[UUID, int]]) -> Mapping[UUID, Room]:
        """How much these runs (job id and number) have kept so far."""
        job_ids, numbers = zip(*runs, strict=True)
        found = await self._connection.execute(_USED, {"job_ids": list(job_ids), "runs": list(numbers)})
        return {job_id: Room(lines, int(size_bytes)) for job_id, lines, size_bytes in found}

    async def of_job(self, job_id: UUID, after: int, limit: int) -> list[LogLine]:
        """Up to ``limit`` lines of the job whose numbers come after ``after``, in order."""
        found = await self._connection.execute(_OF_JOB, {"job_id": job_id, "after": after, "limit": limit})
        return [LogLine(**row | {"level": LogLevel(row["level"])}) for row in map(dict, found.mappings())]


def _arrays(lines: Sequence[LogLine]) -> dict[str, list[Any]]:
    return {column.name: [getattr(line, column.name) for line in lines] for column in _COLUMNS}
