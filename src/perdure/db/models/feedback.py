"""The ``delivery_feedback`` table: what was said of messages after they were sent. It goes with its delivery.

An event that is told again has the same id, and is one row; the primary key finds all that was said of a delivery.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType, quoted
from perdure.models.feedback import FeedbackKind


class DeliveryFeedbackRow(Base):
    __tablename__ = "delivery_feedback"

    delivery_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(Timestamp)
    """By the clock of who said it."""
    received_at: Mapped[datetime] = mapped_column(Timestamp)
    detail: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (CheckConstraint(f"kind IN ({quoted(FeedbackKind)})", name="kind"),)
