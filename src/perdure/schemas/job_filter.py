"""Which jobs: the conditions that a list's query and an action's filter share, said once."""

from __future__ import annotations

from pydantic import Field

from perdure.models.lifecycle import JobStatus
from perdure.schemas.base import Moment, Request
from perdure.schemas.job import Name


class JobFilterShape(Request):
    """Jobs for which every condition holds that is given."""

    status: list[JobStatus] = Field([], description="any of these")
    job_type: Name | None = Field(None, description="only this job type")
    queue: Name | None = Field(None, description="only this queue")
    created_after: Moment | None = Field(None, description="only newer ones")
    created_before: Moment | None = Field(None, description="only older ones")

    @property
    def is_empty(self) -> bool:
        """Whether it names no condition, so that every job matches."""
        return not self.model_dump(include=set(JobFilterShape.model_fields), exclude_defaults=True)
