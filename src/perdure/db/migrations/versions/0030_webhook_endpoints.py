"""Webhook endpoints: places to call that have a name."""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE perdure.webhook_endpoints (
            name text NOT NULL CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
            url text NOT NULL,
            secrets jsonb NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            set_by text NOT NULL,
            state text NOT NULL,
            reason text,
            disabled_at timestamptz,
            failing_since timestamptz,
            CONSTRAINT webhook_endpoints_state CHECK (state IN ('active', 'disabled')),
            CONSTRAINT webhook_endpoints_reason CHECK (reason IN ('gone', 'failing', 'by_hand')),
            CONSTRAINT webhook_endpoints_disabled_has_reason CHECK (
                (state = 'disabled') = (reason IS NOT NULL) AND (state = 'disabled') = (disabled_at IS NOT NULL))
        )
    """)
