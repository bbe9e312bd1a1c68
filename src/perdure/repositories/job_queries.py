"""The read side of jobs: one, many by filter, the timeline, and which of some are finished. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import JobEventRow, JobRow
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus, TimelineEvent
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_search import Found, JobSearch
from perdure.repositories.mappers import SUMMARY_COLUMNS, job_from_row

_JOBS = table_of(JobRow)
_EVENTS = table_of(JobEventRow)
_FINAL_VALUES = [status.value for status in FINAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of a job's timeline."""

    event: TimelineEvent
    run: int
    attempt: int
    at: datetime
    data: dict[str, Any]


class JobQueries:
    """Reads jobs, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, job_id: UUID) -> Job | None:
        row = (await self._connection.execute(select(_JOBS).where(JobRow.job_id == job_id))).mappings().one_or_none()
        return None if row is None else job_from_row(row)

    async def newest(self, wanted: JobFilter, before: UUID | None, limit: int) -> Found:
        """Up to ``limit`` jobs that match, newest first (ids are time-ordered), older than the id ``before``.

        Without payload and result: a page of large ones would be larger still.
        """
        return await JobSearch(self._connection, wanted).newest(before, limit)

    async def summaries(self, job_ids: Sequence[UUID]) -> list[Job]:
        """Those of the jobs that there are, newest first, without payload and result."""
        query = select(*SUMMARY_COLUMNS).where(JobRow.job_id.in_(job_ids)).order_by(JobRow.job_id.desc())
        return [job_from_row(row) for row in (await self._connection.execute(query)).mappings()]

    async def has_any(self) -> bool:
        """Whether there is a job at all."""
        return (await self._connection.execute(select(JobRow.job_id).limit(1))).first() is not None

    async def timeline(self, job: Job) -> list[TimelineEntry]:
        """The job's whole story in order, over all its runs: what was recorded, and what its row already tells."""
        query = select(_EVENTS).where(JobEventRow.job_id == job.job_id).order_by(JobEventRow.event_id)
        recorded = (await self._connection.execute(query)).mappings().all()
        entries = [TimelineEntry(event=TimelineEvent.CREATED, run=1, attempt=0, at=job.created_at, data={})]
        for row in recorded:
            if row["started_at"] is not None:
                entries.append(_started(row["run"], row["attempt"], row["started_at"], row["data"].get("worker_id")))
            entries.append(
                TimelineEntry(
                    event=TimelineEvent(row["event"]),
                    run=row["run"],
                    attempt=row["attempt"],
                    at=row["at"],
                    data=row["data"],
                )
            )
        if job.status is JobStatus.RUNNING and job.started_at is not None:
            entries.append(_started(job.run, job.attempt, job.started_at, str(job.worker_id)))
        return entries

    async def finished_among(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Those of ``job_ids`` that have reached a final state."""
        query = select(JobRow.job_id).where(JobRow.job_id.in_(job_ids), JobRow.status.in_(_FINAL_VALUES))
        return set((await self._connection.execute(query)).scalars())


def _started(run: int, attempt: int, at: datetime, worker_id: str | None) -> TimelineEntry:
    data = {} if worker_id is None else {"worker_id": worker_id}
    return TimelineEntry(event=TimelineEvent.STARTED, run=run, attempt=attempt, at=at, data=data)
