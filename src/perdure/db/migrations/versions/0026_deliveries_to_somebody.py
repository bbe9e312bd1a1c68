"""Somebody's deliveries: whoever asks why no mail came knows the address."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "deliveries_recipient", "perdure.deliveries (recipient, status, delivery_id) WHERE recipient IS NOT NULL"
    )
