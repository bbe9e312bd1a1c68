"""Workers on the wire."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from perdure.models.lease import MAX_JOBS_NAMED
from perdure.schemas.base import Answer, Moment


class WorkerJobAnswer(Answer):
    """An attempt under way."""

    job_id: UUID
    job_type: str
    queue: str
    attempt: int
    started_at: Moment


class WorkerAnswer(Answer):
    """A worker process. A restart is a new one."""

    worker_id: UUID
    hostname: str
    process_id: int
    version: str
    queues: list[str] = Field(description="empty: every queue")
    job_types: list[str]
    concurrency: int = Field(description="attempts at a time")
    running: int = Field(description="attempts under way")
    started_at: Moment
    lease_until: Moment
    sees_files: bool = Field(description="false: it leaves jobs that name files to others, for it lacks their folder")
    draining_since: Moment | None = Field(description="takes no more jobs since then, for it was told to end")
    jobs: list[WorkerJobAnswer] = Field(
        description=f"the attempts under way, the longest first; at most {MAX_JOBS_NAMED}"
    )
    alive: bool = Field(description="false once its lease has lapsed; its jobs are given to others")


class WorkerList(Answer):
    items: list[WorkerAnswer]
    next_cursor: None = None
