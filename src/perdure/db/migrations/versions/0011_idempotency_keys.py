"""Which submission was made under which idempotency key."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.idempotency_keys (
        caller text NOT NULL,
        key text NOT NULL,
        job_id uuid NOT NULL,
        digests jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (caller, key))
    """,
    "CREATE INDEX idempotency_keys_created_at ON perdure.idempotency_keys (created_at)",
    # As many go as come, each day: their room must be free again long before a fifth of the table is dead.
    """
    ALTER TABLE perdure.idempotency_keys
        SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
