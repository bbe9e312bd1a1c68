"""Walks over the jobs that match a filter, newest first, a stretch of ids at a time.

A stretch is so many jobs in the order of their ids, whether they match or not: whatever the filter, each look reads no
more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import JobRow
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.mappers import job_from_row

BEHIND_ALL = UUID(int=0)
"""Less than any id."""

_JOBS = table_of(JobRow)


@dataclass(frozen=True, slots=True)
class Match:
    """As much of a matching job as decides whether it can be acted on."""

    job_id: UUID
    status: JobStatus
    cancel_requested_at: datetime | None
    unique_key: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Matching jobs, newest first. Every other that matches and is not less than ``below`` came before."""

    matches: Sequence[Match]
    below: UUID

    @property
    def is_last(self) -> bool:
        return self.below == BEHIND_ALL


class JobMatches:
    """The jobs that match ``wanted``, on one connection."""

    def __init__(self, connection: AsyncConnection, wanted: JobFilter) -> None:
        self._connection = connection
        self._conditions = wanted.conditions()

    async def start(self) -> UUID:
        """A place before all jobs that there are, whether they match or not."""
        query = select(JobRow.job_id).order_by(JobRow.job_id.desc()).limit(1)
        newest: UUID | None = (await self._connection.execute(query)).scalar_one_or_none()
        return BEHIND_ALL if newest is None else UUID(int=newest.int + 1)

    async def next(self, below: UUID, jobs: int, limit: int) -> Stretch:
        """Those among the next ``jobs`` jobs whose ids are less than ``below``, up to ``limit``."""
        end = await self._end_of_stretch(below, jobs)
        query = (
            select(JobRow.job_id, JobRow.status, JobRow.cancel_requested_at, JobRow.unique_key)
            .where(JobRow.job_id < below, JobRow.job_id >= end, *self._conditions)
            .order_by(JobRow.job_id.desc())
            .limit(limit)
        )
        rows = (await self._connection.execute(query)).all()
        matches = [Match(row.job_id, JobStatus(row.status), row.cancel_requested_at, row.unique_key) for row in rows]
        return Stretch(matches, matches[-1].job_id if len(matches) == limit else end)

    async def lock(self, job_ids: Sequence[UUID]) -> list[Job]:
        """Those of the jobs that still match, locked until the transaction ends, in the order in which all do so."""
        query = select(_JOBS).where(JobRow.job_id.in_(job_ids), *self._conditions).order_by(JobRow.job_id)
        return [job_from_row(row) for row in (await self._connection.execute(query.with_for_update())).mappings()]

    async def _end_of_stretch(self, below: UUID, jobs: int) -> UUID:
        ids = select(JobRow.job_id).where(JobRow.job_id < below).order_by(JobRow.job_id.desc())
        end = (await self._connection.execute(ids.offset(jobs - 1).limit(1))).scalar_one_or_none()
        return end or BEHIND_ALL
