"""What a job may say about when it is too late, what it must not run beside, and what it was copied from."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE perdure.jobs
            ADD COLUMN expires_at timestamptz,
            ADD COLUMN unique_key text,
            ADD COLUMN concurrency_key text,
            ADD COLUMN copy_of uuid
    """)
