"""The ``jobs`` table: the one aggregate root. No foreign key leaves or enters it.

One table with small partial indexes over what is ready, due and running; finished rows are in none of them
(docs/decisions/0003-one-jobs-table.md). Others are there to find jobs by, and are not written when a job starts to
run (docs/decisions/0012-search.md). The invariants are CHECKs: a state and its timestamps cannot disagree.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Double, Index, Integer, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from perdure.db.base import Base, Json, Timestamp, UuidType, quoted
from perdure.models.lifecycle import BECOMES_DUE, FINAL, LIVE, WAITING, JobStatus

UNIQUE_INDEX = "jobs_unique_live"

# What the indexes hold to find jobs by. A statement is answered from an index if it says the same.
NOT_RUNNING = "worker_id IS NULL"
"""So a CHECK has it. In these words, lest a statement that says a state (the claim!) be answered from these indexes."""
USER = "\"left\"(context ->> 'user_id', 255)"
"""An entry of an index holds no more for sure; nobody is asked for by more. (An address is shorter anyway.)"""
EMAIL = "lower(\"left\"(context ->> 'email', 255))"
ENDED_WITH_ERROR = "finished_at IS NOT NULL AND error IS NOT NULL"
FAILED = "status IN ('FAILED', 'CANCELLED') AND error IS NOT NULL"
"""The same in other words: nor are statements that say the one answered from an index that says the other."""
ERROR_GROUP = "error ->> 'fingerprint'"
HAS_GROUP = f"finished_at IS NOT NULL AND ({ERROR_GROUP}) IS NOT NULL"
WORD_ENDS = "'./_-:@<>&+=', '           '"
"""What parts words, besides what PostgreSQL's parser takes for their end: it has names of hosts, files, numbers."""
_ERROR = "((error ->> 'type') || ' ') || \"left\"(error ->> 'message', 10000)"
ERROR_TEXT = f"to_tsvector('simple', translate({_ERROR}, {WORD_ENDS}))"

_READY = "status = 'QUEUED' AND NOT is_limited"
_READY_LIMITED = "status = 'QUEUED' AND is_limited"


class JobRow(Base):
    __tablename__ = "jobs"

    job_id: Mapped[UUID] = mapped_column(UuidType, primary_key=True)
    job_type: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(SmallInteger)
    """Minus the priority: the claim reads its index upwards."""
    status: Mapped[str] = mapped_column(Text)
    run: Mapped[int] = mapped_column(Integer)
    attempt: Mapped[int] = mapped_column(Integer)
    max_attempts: Mapped[int] = mapped_column(Integer)
    snoozes: Mapped[int] = mapped_column(Integer)
    fence: Mapped[int] = mapped_column(BigInteger)
    worker_id: Mapped[UUID | None] = mapped_column(UuidType)
    timeout_seconds: Mapped[float] = mapped_column(Double)
    retry_base_seconds: Mapped[float] = mapped_column(Double)
    retry_max_seconds: Mapped[float] = mapped_column(Double)
    run_at: Mapped[datetime] = mapped_column(Timestamp)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    started_at: Mapped[datetime | None] = mapped_column(Timestamp)
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(Timestamp)
    payload: Mapped[Any] = mapped_column(Json, nullable=False)
    context: Mapped[dict[str, Any] | None] = mapped_column(Json)
    notifications: Mapped[dict[str, Any] | None] = mapped_column(Json)
    tags: Mapped[list[str]] = mapped_column(Json, nullable=False)
    names_files: Mapped[bool] = mapped_column(Boolean)
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    unique_key: Mapped[str | None] = mapped_column(Text)
    concurrency_key: Mapped[str | None] = mapped_column(Text)
    is_limited: Mapped[bool] = mapped_column(Boolean)
    """Whether a limit of its type or its key holds for it, so that it is claimed with those of its kind."""
    copy_of: Mapped[UUID | None] = mapped_column(UuidType)
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)
    result: Mapped[Any] = mapped_column(Json, nullable=True)
    error: Mapped[dict[str, Any] | None] = mapped_column(Json)

    __table_args__ = (
        CheckConstraint(f"status IN ({quoted(JobStatus)})", name="status"),
        CheckConstraint("(status = 'RUNNING') = (worker_id IS NOT NULL)", name="running_has_worker"),
        CheckConstraint("status <> 'RUNNING' OR started_at IS NOT NULL", name="running_has_start"),
        CheckConstraint(f"(status IN ({quoted(FINAL)})) = (finished_at IS NOT NULL)", name="final_has_end"),
        CheckConstraint("attempt BETWEEN 0 AND max_attempts", name="attempts"),
        CheckConstraint("rank BETWEEN -100 AND 100", name="rank"),
        Index("jobs_ready", "queue", "rank", "run_at", "job_id", postgresql_where=text(_READY)),
        Index(
            "jobs_ready_limited",
            "queue",
            "job_type",
            text("coalesce(concurrency_key, '')"),
            "rank",
            "run_at",
            "job_id",
            postgresql_where=text(_READY_LIMITED),
        ),
        Index("jobs_due", "run_at", postgresql_where=text(f"status IN ({quoted(BECOMES_DUE)})")),
        Index("jobs_running", "worker_id", postgresql_where=text("status = 'RUNNING'")),
        Index(
            UNIQUE_INDEX,
            "unique_key",
            unique=True,
            postgresql_where=text(f"unique_key IS NOT NULL AND status IN ({quoted(LIVE)})"),
        ),
        Index("jobs_group", "status", "job_type", "queue", "job_id", postgresql_where=text(NOT_RUNNING)),
        Index(
            "jobs_user",
            text(f"({USER})"),
            "status",
            "job_id",
            postgresql_where=text(f"{NOT_RUNNING} AND {USER} IS NOT NULL"),
        ),
        Index(
            "jobs_email",
            text(f"({EMAIL})"),
            "status",
            "job_id",
            postgresql_where=text(f"{NOT_RUNNING} AND {EMAIL} IS NOT NULL"),
        ),
        Index("jobs_error_group", text(f"({ERROR_GROUP})"), "job_id", postgresql_where=text(HAS_GROUP)),
        Index("jobs_failed", "status", "job_id", postgresql_where=text(FAILED)),
        Index(
            "jobs_error_words",
            text(f"({ERROR_TEXT})"),
            postgresql_using="gin",
            postgresql_where=text(ENDED_WITH_ERROR),
        ),
        Index("jobs_running_limited", "concurrency_key", postgresql_where=text("status = 'RUNNING' AND is_limited")),
        Index(
            "jobs_expiring",
            "expires_at",
            postgresql_where=text(f"status IN ({quoted(WAITING)}) AND expires_at IS NOT NULL"),
        ),
    )
