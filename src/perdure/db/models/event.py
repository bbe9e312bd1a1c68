"""The ``job_events`` table: the recorded steps of each job, appended with the transition that made them.

What the job's row already tells (its creation, the start of the attempt under way) is not stored again; the
timeline derives it. An attempt's start rides on the row of its end, so an attempt costs one row. The ids rise over all
jobs: whoever follows what happens (``core/streaming.py``) reads on from the last one that it knows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType


class JobEventRow(Base):
    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    event: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Timestamp)
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    data: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)

    __table_args__ = (Index("job_events_in_order", "event_id"),)
