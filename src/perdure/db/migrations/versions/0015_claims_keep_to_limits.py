"""Code that knows of no limits claims no more: it would go beyond them. Its index of ready jobs goes, too."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX perdure.jobs_ready")
    op.execute("ALTER INDEX perdure.jobs_ready_unlimited RENAME TO jobs_ready")
    op.execute("UPDATE perdure.schema_version SET minimum_code_version = 15")
