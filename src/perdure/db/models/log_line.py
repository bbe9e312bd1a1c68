"""The ``job_log_lines`` table: what attempts say with ``ctx.log``, kept with their job.

The key is the order in which it was said: each claim of a job has its own stretch of numbers, so nobody asks which is
the next, and a line that is written again is the same row.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Timestamp, UuidType, quoted
from perdure.models.job_log import LogLevel


class JobLogLineRow(Base):
    __tablename__ = "job_log_lines"

    job_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(Timestamp)
    level: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)

    __table_args__ = (CheckConstraint(f"level IN ({quoted(LogLevel)})", name="level"),)
