"""What the database knows of a run: the jobs, their timeline, their deliveries, and a log of every step of a job.

The log is the run's own: a trigger writes each change of a job's state, fence, attempt, worker or progress in the
transaction that makes it. So it holds exactly what was committed, by whomever, and in the order of each job's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chaos.server import Server

_INSTALL = (
    "CREATE SCHEMA chaos",
    """
    CREATE TABLE chaos.steps (
        step_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::numeric % 4294967296,
        job_id uuid NOT NULL, run integer NOT NULL, fence bigint NOT NULL,
        status_before text, attempt_before integer, worker_before uuid, started_before timestamptz,
        status text NOT NULL, attempt integer NOT NULL, worker_id uuid, progress text, result jsonb)
    """,
    """
    CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos.steps (job_id, run, fence, status_before, attempt_before, worker_before, started_before,
                                 status, attempt, worker_id, progress, result)
        VALUES (NEW.job_id, NEW.run, NEW.fence, OLD.status, OLD.attempt, OLD.worker_id, OLD.started_at,
                NEW.status, NEW.attempt, NEW.worker_id, NEW.progress ->> 'message', NEW.result);
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER chaos_submitted AFTER INSERT ON perdure.jobs FOR EACH ROW EXECUTE FUNCTION chaos.note()",
    """
    CREATE TRIGGER chaos_changed AFTER UPDATE ON perdure.jobs FOR EACH ROW
    WHEN ((OLD.status, OLD.fence, OLD.attempt, OLD.worker_id, OLD.progress)
          IS DISTINCT FROM (NEW.status, NEW.fence, NEW.attempt, NEW.worker_id, NEW.progress))
    EXECUTE FUNCTION chaos.note()
    """,
)
_STEPS = "SELECT * FROM chaos.steps ORDER BY step_id"
# xmin names the transaction that wrote the event: the same as its step's.
_EVENTS = """
    SELECT job_id, run, attempt, event, started_at, xmin::text::bigint AS transaction,
           data ->> 'worker_id' AS worker_id, data -> 'error' ->> 'reason' AS reason
    FROM perdure.job_events ORDER BY event_id
"""
_JOBS = """
    SELECT job_id, (payload ->> 'number')::integer AS number, rank, status, run, attempt,
           (result ->> 'attempt')::integer AS result_attempt, error ->> 'reason' AS reason
    FROM perdure.jobs
"""
_DELIVERIES = "SELECT delivery_id, job_id, run, event, channel, recipient, status FROM perdure.deliveries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One committed change of a job's row, with what it replaced (None at its birth). ``transaction``: modulo 2³²."""

    step_id: int
    at: datetime
    transaction: int
    job_id: UUID
    run: int
    fence: int
    status_before: str | None
    attempt_before: int | None
    worker_before: UUID | None
    started_before: datetime | None
    status: str
    attempt: int
    worker_id: UUID | None
    progress: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a timeline: by its own words the end of ``attempt``, which ``worker_id`` began at ``started_at``."""

    job_id: UUID
    run: int
    attempt: int
    event: str
    started_at: datetime | None
    transaction: int
    worker_id: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    job_id: UUID
    number: int
    rank: int
    status: str
    run: int
    attempt: int
    result_attempt: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    delivery_id: UUID
    job_id: UUID
    run: int
    event: str
    channel: str
    recipient: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Records:
    """Everything, as it stands."""

    steps: list[Step]
    events: list[Event]
    jobs: list[StoredJob]
    deliveries: list[StoredDelivery]


async def install(server: Server) -> None:
    """Begins the log. The schema must be there, and no job yet."""
    for statement in _INSTALL:
        await server.query(statement)


async def read(server: Server) -> Records:
    async def all_of(kind: Any, statement: str) -> list[Any]:
        return [kind(**row) for row in await server.query(statement)]

    return Records(
        steps=await all_of(Step, _STEPS),
        events=await all_of(Event, _EVENTS),
        jobs=await all_of(StoredJob, _JOBS),
        deliveries=await all_of(StoredDelivery, _DELIVERIES),
    )
