"""Somebody's jobs, by user id and by e-mail address. Cut off between the two, it makes both anew."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, value in (
        ("jobs_user", "\"left\"(context ->> 'user_id', 255)"),
        ("jobs_email", "lower(\"left\"(context ->> 'email', 255))"),
    ):
        create_index(name, f"perdure.jobs (({value}), status, job_id) WHERE worker_id IS NULL AND {value} IS NOT NULL")
