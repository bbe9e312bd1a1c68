"""How often a run was snoozed, so that it cannot be for ever."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default is for code older than this, which goes on writing rows without the column.
    op.execute("ALTER TABLE perdure.jobs ADD COLUMN snoozes integer NOT NULL DEFAULT 0")
