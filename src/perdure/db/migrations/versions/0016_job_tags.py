"""Tags, one row each, to find jobs by: those of the jobs that are there are copied.

It reads ``jobs`` once and locks none of them. A job that older code stores between this and its end is not found by
its tags.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.job_tags (
        tag text NOT NULL,
        job_id uuid NOT NULL,
        CONSTRAINT job_tags_pkey PRIMARY KEY (tag, job_id)
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)
    """,
    """
    INSERT INTO perdure.job_tags (tag, job_id)
    SELECT DISTINCT named.tag, job.job_id
    FROM perdure.jobs AS job CROSS JOIN LATERAL jsonb_array_elements_text(job.tags) AS named(tag)
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
