"""The tables of tellings: ``deliveries``, and ``delivery_attempts`` with a row for every try.

Written in the transaction of the job's transition. One delivery per job run, event, channel and recipient: the
unique index says so, counting a missing recipient as a value; a resend is a further row that names the first, told
apart by its own id. The same index finds all deliveries of a job. The groups and the recipients have an index each for
the list's filters (``repositories/delivery_search.py``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType, quoted
from perdure.models.delivery import LIVE, DeliveryStatus

_ID_OF_A_RESEND = """
CASE
    WHEN resend_of IS NOT NULL THEN delivery_id
    ELSE NULL::uuid
END"""
"""As PostgreSQL writes it back, so that the migrations can be compared with it."""


JOB_TYPE = "COALESCE(snapshot ->> 'job_type'::text, ''::text)"
"""The type of the job, which the snapshot names."""
HAS_RECIPIENT = "recipient IS NOT NULL"
IS_SENDING = "upper(status) = 'SENDING'"
"""In words that only its index knows: ``status = 'SENDING'`` would bring in that of all that waits."""


class DeliveryRow(Base):
    __tablename__ = "deliveries"

    delivery_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(UuidType)
    run: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    fence: Mapped[int] = mapped_column(BigInteger)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """When the next try is due; while SENDING, when the lease of the present one ends."""
    provider_message_id: Mapped[str | None] = mapped_column(Text)
    snapshot: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    resend_of: Mapped[UUID | None] = mapped_column(UuidType)
    subscription: Mapped[str | None] = mapped_column(Text)
    destination: Mapped[str] = mapped_column(Text)
    """What it fails and is limited together with; "" until a sender of this code has had it."""
    spared_attempts: Mapped[int] = mapped_column(Integer)
    ambiguous_attempts: Mapped[int] = mapped_column(Integer)
    tried_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """When its last try began: of one whose sender vanished, nobody else knows."""

    __table_args__ = (
        CheckConstraint(f"status IN ({quoted(DeliveryStatus)})", name="status"),
        CheckConstraint(f"(status IN ({quoted(LIVE)})) = (next_attempt_at IS NOT NULL)", name="live_has_due_time"),
        CheckConstraint(f"(status IN ({quoted(LIVE)})) = (finished_at IS NULL)", name="final_has_end"),
        CheckConstraint(
            "status NOT IN ('SKIPPED', 'FAILED', 'SUPPRESSED') OR reason IS NOT NULL", name="silence_has_reason"
        ),
        Index(
            "deliveries_once",
            "job_id",
            "run",
            "event",
            "channel",
            "recipient",
            text(_ID_OF_A_RESEND),
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("deliveries_group", "status", "provider", "channel", "event", text(f"({JOB_TYPE})"), "delivery_id"),
        Index("deliveries_recipient", "recipient", "status", "delivery_id", postgresql_where=text(HAS_RECIPIENT)),
        Index("deliveries_sending", "channel", "destination", postgresql_where=text(IS_SENDING)),
        Index("deliveries_due", "next_attempt_at", postgresql_where=text(f"status IN ({quoted(LIVE)})")),
        Index(
            "deliveries_by_destination",
            "channel",
            "destination",
            "next_attempt_at",
            postgresql_where=text("finished_at IS NULL"),
        ),
    )


class DeliveryAttemptRow(Base):
    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Timestamp)
    duration_ms: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(Text)
    status_code: Mapped[int | None] = mapped_column(Integer)
    error_type: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    provider_message_id: Mapped[str | None] = mapped_column(Text)
    response_excerpt: Mapped[str | None] = mapped_column(Text)
