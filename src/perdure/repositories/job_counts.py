"""Counts the jobs that match, by state, in bounded time: exactly where they are few, else the least that there are.

By type, queue and time alone, each combination that is in use is counted by its stretch of an index, up to a limit that
all of them share. Any other filter is looked at as a search does (``job_search``): so many jobs back, by the way that
leads furthest, and these are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.lifecycle import JobStatus
from perdure.repositories.id_bounds import id_bounds
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_search import JobSearch
from perdure.repositories.job_ways import group_counts

COUNTED_IN_ALL = 30_000
"""Shared by the combinations of state, type and queue: an index alone counts a thousand in 0.3 ms."""
COUNTED_BY_TIME = 5_000
"""The same where each must be looked at, for when it was made."""
LEAST_OF_EACH = 10
LOOKED_AT = 1_000
TIMEOUT_MS = 300


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many match in each state. ``at_least``: of these states there are so many, or more."""

    by_state: Mapping[JobStatus, int]
    at_least: frozenset[JobStatus]


class JobCounting:
    """Counts on one connection, which is used for nothing else: it raises ``Unavailable`` if it takes too long."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def count(self, wanted: JobFilter) -> JobCounts:
        """Whatever state ``wanted`` names, all are counted."""
        wanted = replace(wanted, status=())
        await self._connection.execute(text(f"SET LOCAL statement_timeout = {TIMEOUT_MS}"))
        is_by_group = replace(wanted, job_type=None, queue=None, created_after=None, created_before=None) == JobFilter()
        return await (self._by_group(wanted) if is_by_group else self._by_looking(wanted))

    async def _by_group(self, wanted: JobFilter) -> JobCounts:
        low, high = id_bounds(wanted.created_after, wanted.created_before, None)
        has_time = wanted.created_after is not None or wanted.created_before is not None
        in_all = COUNTED_BY_TIME if has_time else COUNTED_IN_ALL
        statement = text(group_counts(wanted, in_all, LEAST_OF_EACH))
        parameters = wanted.parameters() | {"low": low, "high": high}
        rows = (await self._connection.execute(statement, parameters)).all()
        return JobCounts(
            {JobStatus(row.status): row.jobs for row in rows},
            frozenset(JobStatus(row.status) for row in rows if row.has_more),
        )

    async def _by_looking(self, wanted: JobFilter) -> JobCounts:
        low, high = id_bounds(wanted.created_after, wanted.created_before, None)
        counts, is_whole = await JobSearch(self._connection, wanted).counts(low, high, LOOKED_AT)
        return JobCounts(counts, frozenset() if is_whole else frozenset(counts))
