"""Subscriptions, and on each delivery which of them it was written for."""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.subscriptions (
        name text NOT NULL CONSTRAINT subscriptions_pkey PRIMARY KEY,
        job_type text,
        queue text,
        events text[] NOT NULL,
        notifications jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        set_by text NOT NULL,
        CONSTRAINT subscriptions_events CHECK (cardinality(events) > 0)
    )
    """,
    "ALTER TABLE perdure.deliveries ADD COLUMN subscription text",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
