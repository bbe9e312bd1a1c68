"""What was done in each minute and each hour, by queue and job type."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A row is written anew every few seconds while its minute or hour lasts: there is room for it beside the old one.
    op.execute("""
        CREATE TABLE perdure.job_history (
            width_seconds integer NOT NULL,
            starts_at timestamptz NOT NULL,
            queue text NOT NULL,
            job_type text NOT NULL,
            submitted bigint NOT NULL,
            succeeded bigint NOT NULL,
            failed bigint NOT NULL,
            cancelled bigint NOT NULL,
            retried bigint NOT NULL,
            attempts bigint NOT NULL,
            waits bigint[] NOT NULL,
            durations bigint[] NOT NULL,
            CONSTRAINT job_history_pkey PRIMARY KEY (width_seconds, starts_at, queue, job_type)
        ) WITH (fillfactor = 80)
    """)
