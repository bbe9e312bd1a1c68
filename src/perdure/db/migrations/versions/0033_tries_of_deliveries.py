"""When the last try of a delivery began; why those that were called off are sent no more."""

from __future__ import annotations

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE perdure.deliveries ADD COLUMN tried_at timestamptz")
    # Code older than this goes on writing none, so there is no check.
    op.execute("UPDATE perdure.deliveries SET reason = 'called_off' WHERE status = 'CANCELLED' AND reason IS NULL")
