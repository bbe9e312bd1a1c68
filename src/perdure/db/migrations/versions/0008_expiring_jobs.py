"""Waiting jobs that expire, in the order in which they do."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "jobs_expiring",
        "perdure.jobs (expires_at) WHERE status IN ('SCHEDULED', 'QUEUED', 'RETRYING') AND expires_at IS NOT NULL",
    )
