"""Failures that are the same one, taken together: what fails, how often, since when, and an example."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MAX_FAILURES = 1_000
"""So many of the newest failed jobs are looked at."""
MAX_GROUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failed jobs with one fingerprint, among the newest that failed. ``ages_seconds``: how long ago each did."""

    fingerprint: str
    job_type: str
    error_type: str
    message: str
    """Of the newest of them; its beginning."""
    jobs: int
    newest_job_id: UUID
    first_at: datetime
    last_at: datetime
    ages_seconds: tuple[int, ...]
