"""What all senders know of the destinations of providers; where deliveries go, and which tries do not count."""

from __future__ import annotations

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.circuits (
        provider text NOT NULL,
        destination text NOT NULL,
        state text NOT NULL,
        since timestamptz NOT NULL,
        blocked_until timestamptz,
        failures integer NOT NULL,
        breaks integer NOT NULL,
        window_started_at timestamptz,
        window_calls integer NOT NULL,
        window_failures integer NOT NULL,
        paused_at timestamptz,
        resumed_at timestamptz,
        next_free_at timestamptz,
        failed_at timestamptz,
        status_code integer,
        error_type text,
        message text,
        CONSTRAINT circuits_pkey PRIMARY KEY (provider, destination),
        CONSTRAINT circuits_state CHECK (state IN ('CLOSED', 'OPEN', 'PAUSED')),
        CONSTRAINT circuits_paused_has_start CHECK
            ((state = 'PAUSED') = (paused_at IS NOT NULL AND resumed_at IS NULL))
    ) WITH (fillfactor = 50)
    """,
    # The defaults are for code older than this, which goes on writing rows without these columns.
    """
    ALTER TABLE perdure.deliveries
        ADD COLUMN destination text NOT NULL DEFAULT '',
        ADD COLUMN spared_attempts integer NOT NULL DEFAULT 0,
        ADD COLUMN ambiguous_attempts integer NOT NULL DEFAULT 0
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
