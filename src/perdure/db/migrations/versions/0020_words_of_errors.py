"""The words of the errors that jobs ended with."""

from __future__ import annotations

from perdure.db.migrations.online import create_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index(
        "jobs_error_words",
        """
        perdure.jobs USING gin (to_tsvector('simple', translate(
            (error ->> 'type') || ' ' || "left"(error ->> 'message', 10000), './_-:@<>&+=', '           ')))
        WHERE finished_at IS NOT NULL AND error IS NOT NULL
        """,
    )
