"""What is around the jobs of the data set: workers, types, a week of history, deliveries, schedules, a paused queue."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.browser.dataset_types import TYPES, JobType

from perdure.clock import first_id_at
from perdure.core.notifications.snapshot import snapshot_of
from perdure.db.base import table_of
from perdure.db.models import (
    CircuitRow,
    DeliveryAttemptRow,
    DeliveryFeedbackRow,
    DeliveryRow,
    JobLogLineRow,
    JobTypeRow,
    QueueRow,
    ScheduleRow,
    ScheduleSlotRow,
    SuppressionRow,
    WorkerRow,
)
from perdure.models.history import HOUR, MINUTE, Tally
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import TimelineEvent
from perdure.repositories.tally_repository import TallyRepository

TOLD = {TimelineEvent.SUCCESS: "SUCCESS", TimelineEvent.FAILURE: "FAILURE"}
PROVIDERS = {"email": "mailtrap", "slack": "slack", "webhook": "webhook"}
FOREVER = timedelta(days=2)
MALLORY = "mallory@example.com"
"""Whose provider answers with what mallory sent."""


def worker_ids(now: datetime) -> list[UUID]:
    """Three that live, one that is about to end, one that is gone."""
    return [_id(now - timedelta(hours=6, seconds=number), Random(number)) for number in range(5)]


def _id(at: datetime, random: Random) -> UUID:
    return UUID(int=first_id_at(at).int | 7 << 76 | 2 << 62 | random.getrandbits(60))


def traceback_of(job_type: str, error_type: str, message: str) -> str:
    module = job_type.replace(".", "/")
    return (
        "Traceback (most recent call last):\n"
        f'  File "acme/{module}.py", line 48, in run\n    document = await render(order, template)\n'
        f'  File "acme/{module}.py", line 91, in render\n    raise {error_type}(template)\n'
        f"{error_type}: {message}\n"
    )


async def write_platform(connection: AsyncConnection, now: datetime) -> None:
    able = [kind for kind in TYPES if kind.name != "ledger.close"]
    await connection.execute(insert(table_of(JobTypeRow)), [_type(kind, now) for kind in TYPES])
    ids = worker_ids(now)
    rows = [_worker(worker_id, f"worker-{number + 1}.internal", able, now) for number, worker_id in enumerate(ids)]
    rows[3]["draining_since"] = now - timedelta(seconds=20)
    rows[4]["lease_until"] = now - timedelta(minutes=26)
    await connection.execute(insert(table_of(WorkerRow)), rows)
    await connection.execute(
        insert(table_of(QueueRow)),
        [
            {
                "name": "sync",
                "paused_at": now - timedelta(minutes=18),
                "paused_by": "ops",
                "pause_reason": "the CRM is down",
            }
        ],
    )
    await connection.execute(
        insert(table_of(CircuitRow)),
        [
            {
                "provider": "slack",
                "destination": "slack",
                "state": "PAUSED",
                "since": now - timedelta(minutes=32),
                "blocked_until": now + FOREVER,
                "failures": 1,
                "breaks": 3,
                "window_calls": 0,
                "window_failures": 0,
                "paused_at": now - timedelta(minutes=32),
                "failed_at": now - timedelta(minutes=2),
                "status_code": 403,
                "error_type": "HttpStatus",
                "message": "Slack answered 403: invalid_token",
            }
        ],
    )
    await connection.execute(insert(table_of(ScheduleRow)), _schedules(now))
    await connection.execute(insert(table_of(ScheduleSlotRow)), _slots(now))
    await connection.execute(
        insert(table_of(SuppressionRow)),
        [
            {
                "suppression_id": _id(now, Random(number)),
                "address": address,
                "reason": reason,
                "added_by": by,
                "created_at": now - timedelta(days=number + 1),
                "note": note,
                "delivery_id": None,
            }
            for number, (address, reason, by, note) in enumerate(
                [
                    ("gone@example.com", "bounced", "mailtrap", "550 5.1.1 no such user"),
                    ("enough@example.com", "unsubscribed", "recipient", None),
                    ("legal@example.com", "manual", "ops", "asked us by letter"),
                ]
            )
        ],
    )
    await TallyRepository(connection).add(ids[0], now, {"submitted": 31, "succeeded": 28, "failed": 1}, _history(now))


def _type(kind: JobType, now: datetime) -> dict[str, object]:
    return {
        "job_type": kind.name,
        "description": kind.description,
        "payload_schema": kind.payload_schema,
        "result_schema": {"type": "object"},
        "max_retries": kind.max_attempts - 1,
        "timeout_seconds": 600.0,
        "retry_base_seconds": 2.0,
        "retry_max_seconds": 300.0,
        "max_concurrent_per_key": 1,
        "max_concurrent": 4 if kind.name == "media.transcode" else None,
        "published_at": now - timedelta(hours=6),
    }


def _worker(worker_id: UUID, hostname: str, kinds: Sequence[JobType], now: datetime) -> dict[str, object]:
    return {
        "worker_id": worker_id,
        "hostname": hostname,
        "process_id": 4217,
        "version": "0.9.0",
        "queues": [],
        "job_types": [kind.name for kind in kinds],
        "concurrency": 16,
        "started_at": now - timedelta(hours=6),
        "lease_until": now + FOREVER,
        "sees_files": True,
        "draining_since": None,
    }


def _schedules(now: datetime) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "expression": expression,
            "time_zone": zone,
            "job": {"job_type": job_type},
            "catch_up": "latest",
            "overlap": "skip",
            "paused": next_in is None,
            "last_error": 'payload: "month" is a required property' if next_in is None else None,
            "created_at": now - timedelta(days=40),
            "updated_at": now - timedelta(days=3),
            "settled_until": now,
            "next_slot_at": None if next_in is None else now + timedelta(minutes=next_in),
        }
        for name, expression, zone, job_type, next_in in [
            ("nightly-reindex", "30 2 * * *", "Europe/Berlin", "search.reindex", 712),
            ("revenue-weekly", "0 7 * * MON", "Europe/Berlin", "report.build", 4_031),
            ("digest-hourly", "0 * * * *", "UTC", "digest.send", 27),
            ("month-end", "0 4 1 * *", "UTC", "ledger.close", None),
        ]
    ]


def _slots(now: datetime) -> list[dict[str, object]]:
    """What became of their latest times; the jobs of most have been removed since."""
    return [
        {
            "name": name,
            "slot_at": now - timedelta(minutes=since + every * number),
            "outcome": outcome,
            "job_id": _id(now - timedelta(minutes=since + every * number), Random(number))
            if outcome == "submitted"
            else None,
        }
        for name, since, every in [("nightly-reindex", 728, 1_440), ("digest-hourly", 33, 60)]
        for number, outcome in enumerate(["submitted", "submitted", "overlapped", "submitted", "missed", "submitted"])
    ]


def _history(now: datetime) -> list[Tally]:
    """A week by the hour, and as many minutes of it as are looked at: busy by day, quiet by night, one bad hour."""
    random, tallies = Random(91), []
    for width, steps in ((MINUTE, 25 * 60), (HOUR, 7 * 24 + 1)):
        start = datetime.fromtimestamp(now.timestamp() // width * width, tz=now.tzinfo)
        for kind in (kind for kind in TYPES if kind.weight):
            for step in range(steps):
                at = start - timedelta(seconds=width * step)
                tally = Tally(width_seconds=width, starts_at=at, queue=kind.queue, job_type=kind.name)
                _count(tally, kind, random, width / MINUTE, now)
                tallies.append(tally)
    return tallies


def _count(tally: Tally, kind: JobType, random: Random, minutes: float, now: datetime) -> None:
    at = tally.starts_at
    by_day = 1.1 + math.sin((at.hour + at.minute / 60 - 9) / 24 * 2 * math.pi)
    ended = max(int(random.gauss(kind.weight * by_day * minutes * 0.9, math.sqrt(kind.weight * minutes))), 0)
    bad = 5 if abs((now - at).total_seconds() - 9 * HOUR) < HOUR else 1
    failed = min(int(ended * kind.failing * bad + random.random()), ended)
    tally.counts.update(submitted=ended, succeeded=ended - failed, failed=failed, retried=failed * 2, cancelled=0)
    usual = 0.2 + by_day * 0.6 * bad
    tally.count_attempts(
        [(random.expovariate(1 / usual), random.lognormvariate(kind.log_seconds, 0.5)) for _ in range(min(ended, 8))]
    )


async def write_deliveries(connection: AsyncConnection, steps: Sequence[Transition], random: Random) -> None:
    """What the ends of jobs were told by, as their declarations ask."""
    deliveries, attempts, feedback = [], [], []
    for step in steps:
        if step.event not in TOLD or not step.job.notifications:
            continue
        for channel, options in step.job.notifications.items():
            row, tries = _delivery(step, channel, options, random)
            deliveries.append(row)
            attempts += tries
            feedback += _feedback(row)
    await connection.execute(insert(table_of(DeliveryRow)), deliveries)
    await connection.execute(insert(table_of(DeliveryAttemptRow)), attempts)
    await connection.execute(insert(table_of(DeliveryFeedbackRow)), feedback)


def _delivery(
    step: Transition, channel: str, options: dict[str, object], random: Random
) -> tuple[dict[str, object], list[dict[str, object]]]:
    job, at, event = step.job, step.at, TOLD[step.event]
    delivery_id = _id(at, random)
    recipient = {"email": (job.context or {}).get("email"), "slack": "slack", "webhook": options.get("url")}[channel]
    luck = random.random()
    row = {
        "delivery_id": delivery_id,
        "job_id": job.job_id,
        "run": job.run,
        "event": event,
        "channel": channel,
        "provider": PROVIDERS[channel],
        "recipient": recipient,
        "status": "SENT",
        "reason": None,
        "attempts": 1,
        "fence": 1,
        "next_attempt_at": None,
        "provider_message_id": f"{random.getrandbits(64):016x}",
        "snapshot": snapshot_of(job),
        "created_at": at,
        "finished_at": at + timedelta(seconds=0.4),
        "resend_of": None,
        "subscription": None,
        "destination": channel,
        "spared_attempts": 0,
        "ambiguous_attempts": 0,
    }
    if event not in options.get("on", ["SUCCESS", "FAILURE"]):
        return row | {
            "status": "SKIPPED",
            "reason": "event_not_selected",
            "attempts": 0,
            "provider_message_id": None,
        }, []
    if recipient == MALLORY:
        said = job.error.message
        row |= {"status": "FAILED", "reason": "permanent", "provider_message_id": said}
        return row, [_try(delivery_id, 1, at, row["provider"], "permanent", 422, said) | {"response_excerpt": said * 2}]
    if channel == "slack":
        row |= {"status": "RETRYING", "finished_at": None, "next_attempt_at": at + FOREVER, "provider_message_id": None}
        return row, [_try(delivery_id, 1, at, "slack", "misconfigured", 403, "Slack answered 403: invalid_token")]
    if luck < 0.03:
        row |= {"status": "FAILED", "reason": "exhausted", "attempts": 3, "provider_message_id": None}
        failed = [(number, at + timedelta(minutes=number)) for number in (1, 2, 3)]
        return row, [
            _try(delivery_id, *one, row["provider"], "transient", 503, "the server answered 503") for one in failed
        ]
    if luck < 0.05 and channel == "email":
        row |= {"status": "BOUNCED"}
    elif luck < 0.8 and channel == "email":
        row |= {"status": "DELIVERED"}
    return row, [_try(delivery_id, 1, at, row["provider"], "accepted", 200, None)]


def _feedback(delivery: dict[str, object]) -> list[dict[str, object]]:
    """What was heard of a mail afterwards."""
    said = {"DELIVERED": ("delivered", None), "BOUNCED": ("bounced", "550 5.1.1 no such user")}.get(
        str(delivery["status"])
    )
    if said is None:
        return []
    at = delivery["created_at"] + timedelta(seconds=3)
    return [
        {
            "delivery_id": delivery["delivery_id"],
            "event_id": "1",
            "provider": delivery["provider"],
            "kind": said[0],
            "occurred_at": at,
            "received_at": at,
            "detail": said[1],
        }
    ]


def _try(
    delivery_id: UUID, number: int, at: datetime, provider: str, verdict: str, status_code: int, message: str | None
) -> dict[str, object]:
    return {
        "delivery_id": delivery_id,
        "number": number,
        "started_at": at,
        "duration_ms": 182,
        "provider": provider,
        "verdict": verdict,
        "status_code": status_code,
        "message": message,
        "provider_message_id": None,
        "error_type": None if message is None else "HttpStatus",
        "response_excerpt": message,
    }


async def write_log(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    lines = [
        ("info", "reading 12 tables"),
        ("info", "aggregating"),
        ("warning", "3 rows have no region"),
        ("info", "done"),
    ]
    rows = [
        {
            "job_id": job.job_id,
            "line": number + 1,
            "run": job.run,
            "attempt": job.attempt,
            "level": level,
            "at": job.started_at + timedelta(milliseconds=90 * number + 5),
            "message": message,
        }
        for job in jobs
        for number, (level, message) in enumerate(lines)
    ]
    await connection.execute(insert(table_of(JobLogLineRow)), rows)
