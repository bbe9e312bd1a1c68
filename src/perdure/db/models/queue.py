"""The ``queues`` table: the queues that somebody paused. A queue needs no declaration, so no other has a row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp


class QueueRow(Base):
    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    paused_at: Mapped[datetime] = mapped_column(Timestamp)
    paused_by: Mapped[str] = mapped_column(Text)
    """The name of the API key with which it was asked, or ``local`` where none is asked for."""
    pause_reason: Mapped[str | None] = mapped_column(Text)
