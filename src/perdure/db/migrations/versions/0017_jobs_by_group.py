"""Jobs of a state, a type, a queue, in the order of their ids. (Running ones are found otherwise.)"""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("jobs_group", "perdure.jobs (status, job_type, queue, job_id) WHERE worker_id IS NULL")
