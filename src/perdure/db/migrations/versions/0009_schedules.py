"""Schedules, and what became of each of their slots."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.schedules (
        name text NOT NULL CONSTRAINT schedules_pkey PRIMARY KEY,
        expression text NOT NULL,
        time_zone text NOT NULL,
        job jsonb NOT NULL,
        catch_up text NOT NULL,
        overlap text NOT NULL,
        paused boolean NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        settled_until timestamptz NOT NULL,
        next_slot_at timestamptz,
        last_error text,
        CONSTRAINT schedules_catch_up CHECK (catch_up IN ('skip', 'latest', 'all')),
        CONSTRAINT schedules_overlap CHECK (overlap IN ('allow', 'skip')),
        CONSTRAINT schedules_paused_has_no_next CHECK (NOT paused OR next_slot_at IS NULL)
    )
    """,
    "CREATE INDEX schedules_due ON perdure.schedules (next_slot_at) WHERE next_slot_at IS NOT NULL",
    """
    CREATE TABLE perdure.schedule_slots (
        name text NOT NULL,
        slot_at timestamptz NOT NULL,
        outcome text NOT NULL,
        job_id uuid,
        CONSTRAINT schedule_slots_pkey PRIMARY KEY (name, slot_at),
        CONSTRAINT schedule_slots_outcome CHECK (outcome IN ('submitted', 'missed', 'overlapped', 'refused')),
        CONSTRAINT schedule_slots_submitted_has_job CHECK ((outcome = 'submitted') = (job_id IS NOT NULL))
    )
    """,
    "CREATE INDEX schedule_slots_jobs ON perdure.schedule_slots (name, slot_at) WHERE job_id IS NOT NULL",
    "CREATE INDEX schedule_slots_slot_at ON perdure.schedule_slots (slot_at)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
