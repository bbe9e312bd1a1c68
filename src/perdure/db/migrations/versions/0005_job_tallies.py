"""Tallies of what happens to jobs: throughput of the last minute and hour without an index by time on the jobs."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE perdure.job_tallies (
            tallied_at timestamptz NOT NULL,
            tallier_id uuid NOT NULL,
            submitted integer NOT NULL,
            succeeded integer NOT NULL,
            failed integer NOT NULL,
            cancelled integer NOT NULL,
            retried integer NOT NULL,
            attempts integer NOT NULL,
            wait_microseconds bigint NOT NULL,
            duration_microseconds bigint NOT NULL,
            CONSTRAINT job_tallies_pkey PRIMARY KEY (tallied_at, tallier_id)
        )
    """)
