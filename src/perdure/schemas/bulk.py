"""What many jobs are answered with, a line each."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from perdure.schemas.base import Answer
from perdure.schemas.problem import Problem


class BulkAnswer(Answer):
    """What became of one job: it is stored and has an id, or there is a problem."""

    index: int = Field(description="which of the jobs, counted from 0")
    job_id: UUID | None = Field(None, description="once it is committed")
    problem: Problem | None = Field(None, description="why it is not stored")
