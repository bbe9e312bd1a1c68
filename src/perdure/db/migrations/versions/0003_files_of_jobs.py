"""Which job names which file, whose folder the file store is, and which bytes are to be removed."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.job_files (
        job_id uuid NOT NULL,
        file_id uuid NOT NULL,
        role text NOT NULL,
        CONSTRAINT job_files_pkey PRIMARY KEY (job_id, file_id),
        CONSTRAINT job_files_role CHECK (role IN ('input', 'output'))
    )
    """,
    "CREATE INDEX job_files_file_id ON perdure.job_files (file_id)",
    """
    CREATE TABLE perdure.file_store (
        singleton integer NOT NULL CONSTRAINT file_store_pkey PRIMARY KEY CHECK (singleton = 1),
        store_id uuid NOT NULL
    )
    """,
    """
    CREATE TABLE perdure.file_removals (
        file_id uuid NOT NULL CONSTRAINT file_removals_pkey PRIMARY KEY,
        due_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX file_removals_due_at ON perdure.file_removals (due_at)",
    # The defaults are for code older than this, which goes on writing rows without these columns.
    "ALTER TABLE perdure.jobs ADD COLUMN names_files boolean NOT NULL DEFAULT false",
    "ALTER TABLE perdure.workers ADD COLUMN sees_files boolean NOT NULL DEFAULT true",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
