"""What a submission would come to: the job as it would be stored, its retries, who would be told, what it waits for.

Each answer is that of the code which would decide: the factory, the retry policy, the dispatcher, the explanation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.explanation import explain
from perdure.core.notifications.events import JobEvent
from perdure.core.recording import Recorder
from perdure.models.delivery import Delivery
from perdure.models.explanation import Reason
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.retry import JITTER
from perdure.repositories.explanation_queries import ExplanationQueries
from perdure.repositories.job_repository import JobRepository

MAX_RETRIES_SHOWN = 20
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When ``attempt`` would begin if all before it failed at once; ``delay_seconds`` is its wait before jitter."""

    attempt: int
    delay_seconds: float
    earliest_at: datetime
    latest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """``job`` is as it would be stored, but under another id. ``reasons`` is why it would not run at once, when due.

    ``has_worker``: a live worker serves its queue, knows its type, and sees the files where it names any.
    ``unique_holder``: the live job that has its unique key, for which it would be refused.
    """

    job: Job
    retries: Sequence[Retry]
    deliveries: Sequence[Delivery]
    has_worker: bool
    reasons: Sequence[Reason]
    unique_holder: UUID | None


async def preview_of(job: Job, connection: AsyncConnection, recorder: Recorder, now: datetime) -> Preview:
    """What would become of ``job``, by what can be read on ``connection``."""
    due = replace(job, status=JobStatus.QUEUED)
    around = await ExplanationQueries(connection).around(due)
    holders = await JobRepository(connection).unique_holders([job.unique_key or ""])
    return Preview(
        job=job,
        retries=list(islice(_retries(job), MAX_RETRIES_SHOWN)),
        deliveries=[delivery for event in JobEvent for delivery in recorder.deliveries_of(job, event, now)],
        has_worker=around.capacity.able > 0,
        reasons=explain(due, around, now).reasons,
        unique_holder=next(iter(holders.values()), None),
    )


def _retries(job: Job) -> Iterator[Retry]:
    earliest = latest = job.run_at
    for failed in range(1, job.max_attempts):
        seconds = job.retry.mean_seconds(failed)
        earliest, latest = _later(earliest, seconds * (1 - JITTER)), _later(latest, seconds * (1 + JITTER))
        yield Retry(attempt=failed + 1, delay_seconds=seconds, earliest_at=earliest, latest_at=latest)


def _later(moment: datetime, seconds: float) -> datetime:
    """So many seconds later, or the last moment that there is."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return _END_OF_TIME
