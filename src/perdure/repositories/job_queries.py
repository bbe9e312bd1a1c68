"""The read side of jobs: one, many by filter, the timeline, and which of some are finished. Nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import JobEventRow, JobRow
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus, TimelineEvent
from perdure.repositories.mappers import job_from_row
from perdure.schemas.job_filter import JobFilterShape

_JOBS = table_of(JobRow)
_EVENTS = table_of(JobEventRow)
_FINAL_VALUES = [status.value for status in FINAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None and empty leave a condition out."""

    status: Sequence[JobStatus] = ()
    job_type: str | None = None
    queue: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @classmethod
    def read(cls, sent: JobFilterShape) -> JobFilter:
        """What was asked for on the wire, where each condition has the same name."""
        return cls(**{name: getattr(sent, name) for name in JobFilterShape.model_fields})

    def conditions(self) -> list[ColumnElement[bool]]:
        row = JobRow
        found: list[ColumnElement[bool]] = []
        if self.status:
            found.append(row.status.in_([status.value for status in self.status]))
        if self.job_type is not None:
            found.append(row.job_type == self.job_type)
        if self.queue is not None:
            found.append(row.queue == self.queue)
        if self.created_after is not None:
            found.append(row.created_at >= self.created_after)
        if self.created_before is not None:
            found.append(row.created_at < self.created_before)
        return found


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

    async def newest(self, wanted: JobFilter, before: UUID | None, limit: int) -> list[Job]:
        """Up to ``limit`` jobs that match, newest first (ids are time-ordered), older than the id ``before``."""
        query = select(_JOBS).where(*wanted.conditions()).order_by(JobRow.job_id.desc()).limit(limit)
        if before is not None:
            query = query.where(JobRow.job_id < before)
        return [job_from_row(row) for row in (await self._connection.execute(query)).mappings()]

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
