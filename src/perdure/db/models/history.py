"""The ``job_history`` table: what was done in each minute and each hour, by queue and job type, all processes together.

A row is added to by every process that saw something of it. Histograms are cut after their last count; their buckets
are those of ``models/histogram.py``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp


class JobHistoryRow(Base):
    __tablename__ = "job_history"

    width_seconds: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """60 or 3600."""
    starts_at: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    queue: Mapped[str] = mapped_column(Text, primary_key=True)
    job_type: Mapped[str] = mapped_column(Text, primary_key=True)
    submitted: Mapped[int] = mapped_column(BigInteger)
    succeeded: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    cancelled: Mapped[int] = mapped_column(BigInteger)
    retried: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(BigInteger)
    waits: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    durations: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
