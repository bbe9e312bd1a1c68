"""Which jobs a page shows, as its address says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perdure.dashboard.asked import AGES, TIMES, Asked
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_filter import JobFilter
from perdure.schemas.base import Request
from perdure.schemas.job_filter import JobFilterShape

__all__ = ["AGES", "JobsAsked"]


@dataclass(frozen=True, slots=True)
class JobsAsked(Asked[JobFilterShape]):
    path: ClassVar[str] = "/jobs"
    schema: ClassVar[type[Request]] = JobFilterShape
    labels: ClassVar[dict[str, str]] = {
        "q": "search",
        "job_type": "type",
        "queue": "queue",
        "tag": "tag",
        "user_id": "user",
        "email": "e-mail",
        "error_group": "error group",
        **TIMES,
    }

    @property
    def filter(self) -> JobFilter:
        return JobFilter.read(self.shape)

    @property
    def status(self) -> JobStatus | None:
        """The state whose tab is chosen."""
        return self.shape.status[0] if len(self.shape.status) == 1 else None
