"""Deliveries that are being sent, by where they go: few, and counted before more are claimed."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("deliveries_sending", "perdure.deliveries (channel, destination) WHERE upper(status) = 'SENDING'")
