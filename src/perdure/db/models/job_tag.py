"""The ``job_tags`` table: each job's tags, to find it by; written with the job, and gone with it.

The other fields that jobs are found by have indexes on ``jobs``. A list cannot have one in the order of the ids.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, UuidType


class JobTagRow(Base):
    __tablename__ = "job_tags"

    tag: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
