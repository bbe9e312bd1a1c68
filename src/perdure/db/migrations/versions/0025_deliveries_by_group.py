"""The newest deliveries of a state, a provider, a channel, an event and a type of job, in whatever combination."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "deliveries_group",
        "perdure.deliveries (status, provider, channel, event, (COALESCE(snapshot ->> 'job_type', '')), delivery_id)",
    )
