"""Makes a past: jobs that were made and ended long ago, with events, deliveries and tries."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from perdure.clock import first_id_at
from perdure.db.session import Database
from perdure.models.delivery import Attempt, Delivery, DeliveryStatus, Verdict
from perdure.models.feedback import Feedback, FeedbackKind
from perdure.models.job import Job
from perdure.models.lifecycle import FINAL, JobStatus
from perdure.models.retry import RetryPolicy
from perdure.repositories.delivery_repository import DeliveryRepository, Try
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.repositories.job_repository import JobRepository

TABLES = (
    *("jobs", "job_events", "deliveries", "delivery_attempts", "delivery_feedback"),
    *("job_files", "job_tags", "files", "inbox_messages"),
)
_LIVE = {DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.RETRYING}


@dataclass(frozen=True)
class Told:
    """A delivery that ended so many days ago, or has not yet."""

    status: DeliveryStatus = DeliveryStatus.SENT
    ended_days: float = 40.0


@dataclass(frozen=True)
class Past:
    """A job that was made and, if it is final, ended so many days ago."""

    status: JobStatus = JobStatus.SUCCEEDED
    ended_days: float = 40.0
    made_days: float = 100.0
    told: Sequence[Told] = ()


def id_at(moment: datetime) -> UUID:
    """An id as it was made then."""
    return UUID(int=first_id_at(moment).int | 7 << 76 | 2 << 62 | secrets.randbits(62))


async def write(database: Database, pasts: Sequence[Past]) -> list[UUID]:
    """Stores the jobs, each with one event, and one try of each delivery; returns the jobs' ids, in order."""
    now = database.clock.now()
    jobs = [_job(past, now) for past in pasts]
    deliveries = [_delivery(job, told, now) for job, past in zip(jobs, pasts, strict=True) for told in past.told]
    attempt = Attempt(verdict=Verdict.ACCEPTED)
    async with database.transaction() as connection:
        await JobRepository(connection).add(jobs)
        await DeliveryRepository(connection).add(deliveries)
        await DeliveryRepository(connection).add_tries(
            [Try(one.delivery_id, 1, "mailtrap", one.created_at, 1, attempt) for one in deliveries]
        )
        await connection.execute(
            text(
                "INSERT INTO perdure.job_events (job_id, run, attempt, event, at, data)"
                " SELECT job_id, 1, 1, 'SUCCESS', now(), '{}' FROM unnest(CAST(:job_ids AS uuid[])) AS job_id"
            ),
            {"job_ids": [job.job_id for job in jobs]},
        )
        await FeedbackRepository(connection).add([_feedback(one) for one in deliveries], now)
    return [job.job_id for job in jobs]


async def count(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    async with database.snapshot() as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM perdure.{table}"))).scalar_one()
            for table in TABLES
        }


async def orphans(database: Database) -> int:
    """How many events, deliveries and tries have lost what they belong to."""
    async with database.snapshot() as connection:
        found = await connection.execute(
            text("""
                SELECT (SELECT count(*) FROM perdure.job_events AS one
                        WHERE NOT EXISTS (SELECT FROM perdure.jobs AS job WHERE job.job_id = one.job_id))
                     + (SELECT count(*) FROM perdure.deliveries AS one
                        WHERE NOT EXISTS (SELECT FROM perdure.jobs AS job WHERE job.job_id = one.job_id))
                     + (SELECT count(*) FROM perdure.job_tags AS one
                        WHERE NOT EXISTS (SELECT FROM perdure.jobs AS job WHERE job.job_id = one.job_id))
                     + (SELECT count(*) FROM perdure.delivery_feedback AS one WHERE NOT EXISTS (
                            SELECT FROM perdure.deliveries AS told WHERE told.delivery_id = one.delivery_id))
                     + (SELECT count(*) FROM perdure.delivery_attempts AS one WHERE NOT EXISTS (
                            SELECT FROM perdure.deliveries AS told WHERE told.delivery_id = one.delivery_id))
            """)
        )
        orphaned: int = found.scalar_one()
    return orphaned


def _feedback(delivery: Delivery) -> Feedback:
    return Feedback(
        delivery_id=delivery.delivery_id,
        event_id="e1",
        provider="mailtrap",
        kind=FeedbackKind.DELIVERED,
        occurred_at=delivery.created_at,
    )


def _job(past: Past, now: datetime) -> Job:
    made_at = now - timedelta(days=past.made_days)
    return Job(
        job_id=id_at(made_at),
        job_type="demo.sleep",
        payload={},
        queue="default",
        priority=0,
        status=past.status,
        run_at=made_at,
        max_attempts=3,
        timeout_seconds=60.0,
        retry=RetryPolicy(1.0, 2.0),
        created_at=made_at,
        tags=("nightly",),
        attempt=1,
        worker_id=UUID(int=1) if past.status is JobStatus.RUNNING else None,
        started_at=made_at,
        finished_at=now - timedelta(days=past.ended_days) if past.status in FINAL else None,
    )


def _delivery(job: Job, told: Told, now: datetime) -> Delivery:
    is_live = told.status in _LIVE
    return Delivery(
        delivery_id=id_at(job.created_at),
        job_id=job.job_id,
        run=1,
        event="SUCCESS",
        channel="email",
        provider="mailtrap",
        recipient=f"{secrets.token_hex(8)}@example.com",
        status=told.status,
        snapshot={},
        created_at=job.created_at,
        next_attempt_at=now if is_live else None,
        finished_at=None if is_live else now - timedelta(days=told.ended_days),
        reason="exhausted" if told.status in {DeliveryStatus.FAILED, DeliveryStatus.SKIPPED} else None,
    )
