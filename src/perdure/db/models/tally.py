"""The ``job_tallies`` table: what each process has seen happen to jobs, a row every few seconds in which it saw any.

It answers how much was done in the last minute and hour without an index by time on ``jobs`` or ``job_events``, which
every job would pay for. Rows are kept for two hours.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType


class JobTallyRow(Base):
    __tablename__ = "job_tallies"

    tallied_at: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    tallier_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    """The process that saw it."""
    submitted: Mapped[int] = mapped_column(Integer)
    succeeded: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    cancelled: Mapped[int] = mapped_column(Integer)
    retried: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer)
    """Attempts that ended; the microseconds are their sums."""
    wait_microseconds: Mapped[int] = mapped_column(BigInteger)
    duration_microseconds: Mapped[int] = mapped_column(BigInteger)
