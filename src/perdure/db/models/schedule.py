"""The tables of schedules: what comes again and when, and what became of each slot.

The primary key of ``schedule_slots`` is the promise that a slot is dealt with once, whoever sees to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType, quoted
from perdure.models.schedule import CatchUp, Overlap, SlotOutcome


class ScheduleRow(Base):
    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    expression: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text)
    job: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    catch_up: Mapped[str] = mapped_column(Text)
    overlap: Mapped[str] = mapped_column(Text)
    paused: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    settled_until: Mapped[datetime] = mapped_column(Timestamp)
    next_slot_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(f"catch_up IN ({quoted(CatchUp)})", name="catch_up"),
        CheckConstraint(f"overlap IN ({quoted(Overlap)})", name="overlap"),
        CheckConstraint("NOT paused OR next_slot_at IS NULL", name="paused_has_no_next"),
        Index("schedules_due", "next_slot_at", postgresql_where=text("next_slot_at IS NOT NULL")),
    )


class ScheduleSlotRow(Base):
    __tablename__ = "schedule_slots"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    slot_at: Mapped[datetime] = mapped_column(Timestamp, primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    job_id: Mapped[UUID | None] = mapped_column(UuidType)

    __table_args__ = (
        CheckConstraint(f"outcome IN ({quoted(SlotOutcome)})", name="outcome"),
        CheckConstraint("(outcome = 'submitted') = (job_id IS NOT NULL)", name="submitted_has_job"),
        Index("schedule_slots_jobs", "name", "slot_at", postgresql_where=text("job_id IS NOT NULL")),
        Index("schedule_slots_slot_at", "slot_at"),
    )
