"""Deliveries that wait, by where they go: one destination's are stepped over whole, however many they are."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "deliveries_by_destination",
        "perdure.deliveries (channel, destination, next_attempt_at) WHERE finished_at IS NULL",
    )
