"""The lines that attempts log, and which workers take no more jobs because they are about to end."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Absolute thresholds, as for events: the table only grows until retention comes.
    """
    CREATE TABLE perdure.job_log_lines (
        job_id uuid NOT NULL,
        line bigint NOT NULL,
        run integer NOT NULL,
        attempt integer NOT NULL,
        at timestamptz NOT NULL,
        level text NOT NULL,
        message text NOT NULL,
        CONSTRAINT job_log_lines_pkey PRIMARY KEY (job_id, line),
        CONSTRAINT job_log_lines_level CHECK (level IN ('info', 'warning', 'error'))
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)
    """,
    # Code older than this says nothing of it, and is shown as it was before.
    "ALTER TABLE perdure.workers ADD COLUMN draining_since timestamptz",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
