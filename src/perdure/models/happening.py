"""What the stream tells of: something that happened to a job, or to the telling of its end, and who wants to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from perdure.models.lifecycle import TRANSITIONS, JobStatus, TimelineEvent


class HappeningKind(StrEnum):
    """What happened. A job's timeline calls it the same, where it has it."""

    STARTED = "STARTED"
    PROGRESS = "PROGRESS"
    """Its processor told how far it is."""
    RETRY = "RETRY"
    SNOOZED = "SNOOZED"
    RELEASED = "RELEASED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELLED = "CANCELLED"
    RESTARTED = "RESTARTED"
    DELIVERY = "DELIVERY"
    """A notification was written, is being sent, waits for its next try, or is settled."""


STATUS_AFTER = {event: after for (_, after), event in TRANSITIONS.items()}
"""How each step of the timeline leaves the job."""
ENDS = frozenset({TimelineEvent.SUCCESS, TimelineEvent.FAILURE, TimelineEvent.CANCELLED})
"""Steps that write deliveries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """``status`` is how it left the job; ``data`` is JSON."""

    event: HappeningKind
    job_id: UUID
    job_type: str
    queue: str
    tags: tuple[str, ...]
    run: int
    attempt: int
    status: JobStatus
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HappeningFilter:
    """What somebody wants to be told of; None and empty leave a condition out."""

    job_id: UUID | None = None
    job_type: str | None = None
    queue: str | None = None
    tag: str | None = None
    event: frozenset[HappeningKind] = frozenset()
    status: frozenset[JobStatus] = frozenset()

    def matches(self, one: Happening) -> bool:
        return (
            self.job_id in (None, one.job_id)
            and self.job_type in (None, one.job_type)
            and self.queue in (None, one.queue)
            and (self.tag is None or self.tag in one.tags)
            and (not self.event or one.event in self.event)
            and (not self.status or one.status in self.status)
        )
