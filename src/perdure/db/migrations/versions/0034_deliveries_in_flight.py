"""Deliveries that are being sent, by where they go: so many at a time may be, and they are counted by each claim."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("deliveries_in_flight", "perdure.deliveries (channel, destination) WHERE status = 'SENDING'")
