"""Events are found in the order in which they were recorded, whichever job they belong to."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("job_events_in_order", "perdure.job_events (event_id)")
