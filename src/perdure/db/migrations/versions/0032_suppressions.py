"""The addresses that nothing is sent to."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE perdure.suppressions (
            suppression_id uuid NOT NULL,
            address text NOT NULL,
            reason text NOT NULL,
            added_by text NOT NULL,
            created_at timestamptz NOT NULL,
            note text,
            delivery_id uuid,
            CONSTRAINT suppressions_pkey PRIMARY KEY (suppression_id),
            CONSTRAINT suppressions_reason CHECK (reason IN (
                'bounced', 'complained', 'unsubscribed', 'manual', 'provider_list'))
        )
    """)
    op.execute("CREATE UNIQUE INDEX suppressions_once ON perdure.suppressions (address)")
