"""What is said of messages after they were sent."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE perdure.delivery_feedback (
            delivery_id uuid NOT NULL,
            event_id text NOT NULL,
            provider text NOT NULL,
            kind text NOT NULL,
            occurred_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            detail text,
            CONSTRAINT delivery_feedback_pkey PRIMARY KEY (delivery_id, event_id),
            CONSTRAINT delivery_feedback_kind CHECK (kind IN (
                'soft_bounced', 'suspended', 'delivered', 'opened', 'clicked', 'unsubscribed', 'complained', 'bounced',
                'suppressed', 'rejected'))
        )
    """)
