"""The ``workers`` table: one row per worker process, which is also its lease over every job it runs.

Renewing it is one small update per process, so a long job costs no writes. A restart is always a new row.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, TextArray, Timestamp, UuidType


class WorkerRow(Base):
    __tablename__ = "workers"

    worker_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    hostname: Mapped[str] = mapped_column(Text)
    process_id: Mapped[int] = mapped_column(Integer)
    version: Mapped[str] = mapped_column(Text)
    queues: Mapped[list[str]] = mapped_column(TextArray)
    """Empty: every queue."""
    job_types: Mapped[list[str]] = mapped_column(TextArray)
    concurrency: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(Timestamp)
    lease_until: Mapped[datetime] = mapped_column(Timestamp)
    sees_files: Mapped[bool] = mapped_column(Boolean)
    """Whether it may claim jobs that name files: its folder is the file store."""
    draining_since: Mapped[datetime | None] = mapped_column(Timestamp)
    """It takes no more jobs, and ends when those that it runs have, or their time is up."""
