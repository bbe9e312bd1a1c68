"""Actions on all the jobs that match a filter."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE perdure.job_actions (
        action_id uuid NOT NULL CONSTRAINT job_actions_pkey PRIMARY KEY,
        verb text NOT NULL,
        filter jsonb NOT NULL,
        reason text,
        requested_by text NOT NULL,
        below uuid NOT NULL,
        created_at timestamptz NOT NULL,
        advanced_at timestamptz NOT NULL,
        status text NOT NULL,
        done bigint NOT NULL,
        skipped jsonb NOT NULL,
        finished_at timestamptz,
        stopped_by text,
        CONSTRAINT job_actions_verb CHECK (verb IN ('cancel', 'retry')),
        CONSTRAINT job_actions_status CHECK (status IN ('RUNNING', 'DONE', 'STOPPED')),
        CONSTRAINT job_actions_ended_has_end CHECK ((status = 'RUNNING') = (finished_at IS NULL))
    )
    """,
    "CREATE INDEX job_actions_running ON perdure.job_actions (advanced_at) WHERE status = 'RUNNING'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
