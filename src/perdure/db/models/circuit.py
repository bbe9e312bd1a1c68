"""The ``circuits`` table: destinations of providers that have a rate, or that failed lately; see ``models/circuit.py``.

Few rows, written often: by every claim under a rate, and by every batch of calls while something fails.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, quoted
from perdure.models.circuit import CircuitState


class CircuitRow(Base):
    __tablename__ = "circuits"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    destination: Mapped[str] = mapped_column(Text, primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(Timestamp)
    blocked_until: Mapped[datetime | None] = mapped_column(Timestamp)
    failures: Mapped[int] = mapped_column(Integer)
    breaks: Mapped[int] = mapped_column(Integer)
    window_started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    window_calls: Mapped[int] = mapped_column(Integer)
    window_failures: Mapped[int] = mapped_column(Integer)
    paused_at: Mapped[datetime | None] = mapped_column(Timestamp)
    resumed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    next_free_at: Mapped[datetime | None] = mapped_column(Timestamp)
    failed_at: Mapped[datetime | None] = mapped_column(Timestamp)
    status_code: Mapped[int | None] = mapped_column(Integer)
    error_type: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(f"state IN ({quoted(CircuitState)})", name="state"),
        CheckConstraint("(state = 'PAUSED') = (paused_at IS NOT NULL AND resumed_at IS NULL)", name="paused_has_start"),
    )
