"""Jobs under a limit have indexes of their own: those that wait for a slot are not in the way of all others."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "jobs_ready_unlimited", "perdure.jobs (queue, rank, run_at, job_id) WHERE status = 'QUEUED' AND NOT is_limited"
    )
    create_index(
        "jobs_ready_limited",
        "perdure.jobs (queue, job_type, coalesce(concurrency_key, ''), rank, run_at, job_id)"
        " WHERE status = 'QUEUED' AND is_limited",
    )
    create_index("jobs_running_limited", "perdure.jobs (concurrency_key) WHERE status = 'RUNNING' AND is_limited")
