"""Finds a page of jobs: the newest that match, whatever is asked, in a fifth of a second.

A filter that names several things has several ways to its jobs (``job_ways``). Which is short, a look at the indexes
says: that on which so many jobs lead furthest back. That stretch of all jobs is then searched, by that way, and nothing
in it is missed. So what one index has few of is found at once, whatever is asked besides; and where each has many, but
none has both, it is a matter of time. A search therefore looks at ever more jobs until it has a page, or no more time:
then it answers what it found, were it nothing, and from where on to search for more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Column, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.repositories.id_bounds import id_bounds
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_matches import BEHIND_ALL, Match, Stretch
from perdure.repositories.job_ways import JobWays, Way
from perdure.repositories.mappers import JOB_COLUMNS, job_from_row

FIRST_LOOK = 1_000
"""So many jobs of each way are looked at first: some milliseconds, or twenty for the words of their errors."""
NEXT_LOOK = 4
"""So many times as many are looked at next."""
LOOKING_SECONDS = 0.05
"""No look is begun later: the last one takes some three times as long as all those before it, which makes 0.2 s."""

_LARGE = frozenset({"payload", "result"})
_SUMMARY = ", ".join(f"NULL::jsonb AS {one.name}" if one.name in _LARGE else f"job.{one.name}" for one in JOB_COLUMNS)
_MATCH = [one for one in JOB_COLUMNS if one.name in Match.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class Found:
    """Jobs that match, newest first, without payload and result.

    Others are all older than the id ``rest``; there are none if it is None.
    """

    jobs: Sequence[Job]
    rest: UUID | None


class JobSearch:
    """The search for the jobs that match ``wanted``, on one connection."""

    def __init__(self, connection: AsyncConnection, wanted: JobFilter) -> None:
        self._connection = connection
        self._wanted = wanted

    async def newest(self, before: UUID | None, limit: int) -> Found:
        """Up to ``limit`` jobs, older than the id ``before``: fewer only if there are no more, or no more time.

        Each statement searches a stretch of ids, so a job that changes meanwhile is found once: as it was, or as it is.
        """
        rows, rest = await self._look(before, limit, _SUMMARY, JOB_COLUMNS)
        return Found([job_from_row(row) for row in rows], rest)

    async def matches(self, below: UUID | None, limit: int) -> Stretch:
        """The same jobs, as much of each as decides whether it can be acted on."""
        rows, rest = await self._look(below, limit, ", ".join(f"job.{one.name}" for one in _MATCH), _MATCH)
        found = [Match(**row | {"status": JobStatus(row["status"])}) for row in map(dict, rows)]
        return Stretch(found, BEHIND_ALL if rest is None else rest)

    async def _look(
        self, before: UUID | None, limit: int, listed: str, columns: Sequence[Column[Any]]
    ) -> tuple[list[Any], UUID | None]:
        """The rows of those jobs, and the id that all others are older than; None if there are none."""
        low, high = id_bounds(self._wanted.created_after, self._wanted.created_before, before)
        rows, look = list[Any](), FIRST_LOOK
        started = time.monotonic()
        while True:
            ways, end = await self._shortest(low, high, look)
            page, parameters = self._page(ways, end, high, limit + 1 - len(rows), listed)
            rows += (await self._connection.execute(page.columns(*columns), parameters)).mappings()
            if len(rows) > limit:
                return rows[:limit], rows[limit - 1]["job_id"]
            if end <= low:
                return rows, None
            if time.monotonic() - started >= LOOKING_SECONDS:
                return rows, end
            high, look = end, look * NEXT_LOOK

    async def counts(self, low: UUID, high: UUID, look: int) -> tuple[dict[JobStatus, int], bool]:
        """How many match in each state, among the newest that one look reaches; and whether that were all."""
        ways, end = await self._shortest(low, high, look)
        statement, parameters = self._counts(ways, end, high, look)
        found = {JobStatus(row.status): row.jobs for row in await self._connection.execute(statement, parameters)}
        return found, end <= low and sum(found.values()) < look

    async def _shortest(self, low: UUID, high: UUID, look: int) -> tuple[list[Way], UUID]:
        """The ways to take together, and the id to which they lead with so many jobs looked at."""
        choices = [ways.all(by_words=look > FIRST_LOOK) for ways in self._searches()]
        if all(len(ways) == 1 for ways in choices) and self._wanted.q is None:
            return [way for [way] in choices], low
        ends = ", ".join(
            f"{_end(way)} AS end_{number}" for number, way in enumerate(way for ways in choices for way in ways)
        )
        parameters = self._parameters(low, high) | {"look": look}
        reached = iter((await self._connection.execute(text(f"SELECT {ends}"), parameters)).one())
        shortest = [min(((next(reached), way) for way in ways), key=lambda one: one[0]) for ways in choices]
        return [way for _, way in shortest], max(end for end, _ in shortest)

    def _searches(self) -> list[JobWays]:
        """What begins like an id may be one, and may be a word."""
        searches = [JobWays(self._wanted, "low", "high")]
        if self._wanted.ids is not None:
            searches.append(JobWays(replace(self._wanted, q=None), "first", "beyond"))
        return searches

    def _page(
        self, ways: Sequence[Way], low: UUID, high: UUID, limit: int, listed: str
    ) -> tuple[TextClause, dict[str, Any]]:
        return text(f"""
            SELECT {listed} FROM perdure.jobs AS job
            WHERE job.job_id = ANY (ARRAY(
                SELECT found.job_id FROM ({_found(ways)}) AS found ORDER BY found.job_id DESC LIMIT :limit))
            ORDER BY job.job_id DESC
        """), self._parameters(low, high) | {"limit": limit}

    def _counts(self, ways: Sequence[Way], low: UUID, high: UUID, limit: int) -> tuple[TextClause, dict[str, Any]]:
        return text(f"""
            SELECT job.status, count(*) AS jobs FROM perdure.jobs AS job
            WHERE job.job_id = ANY (ARRAY(
                SELECT found.job_id FROM ({_found(ways)}) AS found ORDER BY found.job_id DESC LIMIT :limit))
            GROUP BY job.status
        """), self._parameters(low, high) | {"limit": limit}

    def _parameters(self, low: UUID, high: UUID) -> dict[str, Any]:
        parameters = self._wanted.parameters() | {"low": low, "high": high}
        if self._wanted.ids is not None:
            first, beyond = self._wanted.ids
            parameters |= {"first": max(low, first), "beyond": min(high, beyond)}
        return parameters


def _found(ways: Sequence[Way]) -> str:
    return " UNION ".join(f"({select})" for way in ways for select in way.selects)


def _end(way: Way) -> str:
    newest = f"SELECT reached.job_id FROM ({way.end}) AS reached ORDER BY reached.job_id DESC LIMIT 1"
    return f"coalesce(({newest}), CAST(:low AS uuid))"
