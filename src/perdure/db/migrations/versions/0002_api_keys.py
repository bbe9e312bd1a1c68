"""API keys: hashed, with scopes. Rows are never removed: once a key was made, every request needs one."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE perdure.api_keys (
            key_id text NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY,
            name text NOT NULL,
            scopes text[] NOT NULL,
            secret_hash bytea NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz,
            revoked_at timestamptz,
            last_used_at timestamptz,
            CONSTRAINT api_keys_scopes CHECK
                (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'work', 'operate', 'admin'])
        )
    """)
