"""What may become of a delivery after it was sent, and how else it may end."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_STATUSES = (
    "PENDING",
    "SENDING",
    "RETRYING",
    "SENT",
    "DELIVERED",
    "BOUNCED",
    "FAILED",
    "SKIPPED",
    "SUPPRESSED",
    "CANCELLED",
)
_CHECKS = {
    "deliveries_status": f"status IN ({', '.join(map(repr, _STATUSES))})",
    "deliveries_silence_has_reason": "status NOT IN ('SKIPPED', 'FAILED', 'SUPPRESSED') OR reason IS NOT NULL",
}


def upgrade() -> None:
    # What the old checks let through, the new ones do too: nobody need wait while the rows are read for it.
    for name, rule in _CHECKS.items():
        op.execute(f"ALTER TABLE perdure.deliveries DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE perdure.deliveries ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")
    for name in _CHECKS:
        op.execute(f"ALTER TABLE perdure.deliveries VALIDATE CONSTRAINT {name}")
