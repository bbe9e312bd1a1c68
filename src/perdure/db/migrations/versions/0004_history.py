"""History: deliveries are found by their job, and what retention removes makes room soon."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Whole, where it was partial: the deliveries of a job, resends among them, were found by reading all there are.
    "DROP INDEX perdure.deliveries_once",
    """
    CREATE UNIQUE INDEX deliveries_once ON perdure.deliveries
        (job_id, run, event, channel, recipient, (CASE WHEN resend_of IS NOT NULL THEN delivery_id END))
        NULLS NOT DISTINCT
    """,
    # Absolute thresholds, as for jobs: deliveries are a queue too; events and tries only grow until retention comes,
    # and what it removed must be free again long before a fifth of the table is dead.
    """
    ALTER TABLE perdure.deliveries SET (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000)
    """,
    """
    ALTER TABLE perdure.job_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)
    """,
    """
    ALTER TABLE perdure.delivery_attempts
        SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000)
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
