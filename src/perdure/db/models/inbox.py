"""The ``inbox_messages`` table: mails caught by the local inbox of ``perdure dev`` and the demo."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType


class InboxMessageRow(Base):
    __tablename__ = "inbox_messages"

    message_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    inbox_id: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Timestamp)
    mail: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    """The body as Mailtrap's sandbox API takes it."""
