"""The ``job_actions`` table: what was asked of all the jobs that match a filter, and how far it has come.

A row is held (FOR UPDATE) for one batch, whose changes it is written with; whoever dies in between leaves both as they
were.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType, quoted
from perdure.models.job_action import ActionStatus, ActionVerb


class JobActionRow(Base):
    __tablename__ = "job_actions"

    action_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    verb: Mapped[str] = mapped_column(Text)
    filter: Mapped[dict[str, Any]] = mapped_column(Json, nullable=False)
    reason: Mapped[str | None] = mapped_column(Text)
    requested_by: Mapped[str] = mapped_column(Text)
    below: Mapped[UUID] = mapped_column(UuidType)
    """Jobs with lesser ids are still to be looked at."""
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    advanced_at: Mapped[datetime] = mapped_column(Timestamp)
    """The end of its last batch. The next goes to the action that waits longest."""
    status: Mapped[str] = mapped_column(Text)
    done: Mapped[int] = mapped_column(BigInteger)
    skipped: Mapped[dict[str, int]] = mapped_column(Json, nullable=False)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    stopped_by: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint(f"verb IN ({quoted(ActionVerb)})", name="verb"),
        CheckConstraint(f"status IN ({quoted(ActionStatus)})", name="status"),
        CheckConstraint("(status = 'RUNNING') = (finished_at IS NULL)", name="ended_has_end"),
        Index("job_actions_running", "advanced_at", postgresql_where=text("status = 'RUNNING'")),
    )
