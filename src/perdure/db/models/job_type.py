"""The ``job_types`` table: what workers can do, published by them when they start.

Submission validates against it, so the API server needs none of the processors' code.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Double, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp


class JobTypeRow(Base):
    __tablename__ = "job_types"

    job_type: Mapped[str] = mapped_column(Text, primary_key=True)
    description: Mapped[str] = mapped_column(Text)
    payload_schema: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    result_schema: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    max_retries: Mapped[int] = mapped_column(Integer)
    timeout_seconds: Mapped[float] = mapped_column(Double)
    retry_base_seconds: Mapped[float] = mapped_column(Double)
    retry_max_seconds: Mapped[float] = mapped_column(Double)
    max_concurrent: Mapped[int | None] = mapped_column(Integer)
    """None: any number."""
    max_concurrent_per_key: Mapped[int] = mapped_column(Integer)
    published_at: Mapped[datetime] = mapped_column(Timestamp)
