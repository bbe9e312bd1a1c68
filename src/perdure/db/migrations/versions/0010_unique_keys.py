"""No two live jobs have the same unique key. Jobs without one, and finished ones, are not in the index."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "jobs_unique_live",
        "perdure.jobs (unique_key)"
        " WHERE unique_key IS NOT NULL AND status IN ('SCHEDULED', 'QUEUED', 'RUNNING', 'RETRYING')",
        unique=True,
    )
