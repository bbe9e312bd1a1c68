"""The table of subscriptions: what the operator wants told, and to whom. Few rows, read whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, TextArray, Timestamp


class SubscriptionRow(Base):
    __tablename__ = "subscriptions"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    job_type: Mapped[str | None] = mapped_column(Text)
    queue: Mapped[str | None] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(TextArray)
    notifications: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    set_by: Mapped[str] = mapped_column(Text)

    __table_args__ = (CheckConstraint("cardinality(events) > 0", name="events"),)
