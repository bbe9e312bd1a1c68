"""Queues that somebody paused, and how many jobs of a type, and of a key, may run at a time."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.queues (
        name text NOT NULL CONSTRAINT queues_pkey PRIMARY KEY,
        paused_at timestamptz NOT NULL,
        paused_by text NOT NULL,
        pause_reason text
    )
    """,
    # The defaults are for code older than this, which goes on writing rows without these columns.
    """
    ALTER TABLE perdure.job_types
        ADD COLUMN max_concurrent integer,
        ADD COLUMN max_concurrent_per_key integer NOT NULL DEFAULT 1
    """,
    "ALTER TABLE perdure.jobs ADD COLUMN is_limited boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
