"""The ``idempotency_keys`` table: which submission each caller made under which key, for a day.

A row is written in its job's transaction, so neither is ever there without the other having been. It outlives a job
that is removed meanwhile: the submission was carried out, and is not carried out again.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType


class IdempotencyKeyRow(Base):
    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(Text, primary_key=True)
    """The id of the API key that was presented; empty where none is asked for."""
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    job_id: Mapped[UUID] = mapped_column(UuidType)
    digests: Mapped[dict[str, str]] = mapped_column(Json, nullable=False)
    """Of each field that was sent, by its path; no value of it."""
    created_at: Mapped[datetime] = mapped_column(Timestamp)

    __table_args__ = (Index("idempotency_keys_created_at", "created_at"),)
