"""The table of webhook endpoints. Their secrets lie here as they are: who signs must have them whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, quoted
from perdure.models.webhook_endpoint import DisabledReason, EndpointState


class WebhookEndpointRow(Base):
    __tablename__ = "webhook_endpoints"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(Json, nullable=False)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    set_by: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    disabled_at: Mapped[datetime | None] = mapped_column(Timestamp)
    failing_since: Mapped[datetime | None] = mapped_column(Timestamp)

    __table_args__ = (
        CheckConstraint(f"state IN ({quoted(EndpointState)})", name="state"),
        CheckConstraint(f"reason IN ({quoted(DisabledReason)})", name="reason"),
        CheckConstraint(
            "(state = 'disabled') = (reason IS NOT NULL) AND (state = 'disabled') = (disabled_at IS NOT NULL)",
            name="disabled_has_reason",
        ),
    )
