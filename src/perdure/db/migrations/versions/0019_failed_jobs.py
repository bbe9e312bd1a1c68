"""Jobs that ended with an error: those of one error group, and all. Cut off between the two, it makes both anew."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "jobs_error_group",
        "perdure.jobs ((error ->> 'fingerprint'), job_id) "
        "WHERE finished_at IS NOT NULL AND (error ->> 'fingerprint') IS NOT NULL",
    )
    create_index(
        "jobs_failed", "perdure.jobs (status, job_id) WHERE status IN ('FAILED', 'CANCELLED') AND error IS NOT NULL"
    )
