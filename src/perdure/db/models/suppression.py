"""The ``suppressions`` table: the addresses that nothing is sent to, in lower case, until somebody removes them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType, quoted
from perdure.models.suppression import SuppressionReason


class SuppressionRow(Base):
    __tablename__ = "suppressions"

    suppression_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    added_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    note: Mapped[str | None] = mapped_column(Text)
    delivery_id: Mapped[UUID | None] = mapped_column(UuidType)
    """The delivery whose feedback put it here; it may be gone."""

    __table_args__ = (
        CheckConstraint(f"reason IN ({quoted(SuppressionReason)})", name="reason"),
        Index("suppressions_once", "address", unique=True),
    )
