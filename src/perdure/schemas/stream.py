"""The stream on the wire: what may be asked of it, and what it tells, in the form of server-sent events."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field

from perdure.models.happening import Happening, HappeningFilter, HappeningKind
from perdure.models.lifecycle import JobStatus
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job import Name

MAX_DIGEST = 200
"""A digest names no more jobs: a page shows none the more."""


class Form(Enum):
    """How a reader is told."""

    EACH = auto()
    """One event after the other, each whole."""
    DIGEST = auto()
    """What came at once as one event, which names each job once."""


class StreamQuery(Request):
    """What to be told of; all that is given must hold."""

    job_id: UUID | None = Field(None, description="only this job")
    job_type: Name | None = Field(None, description="only this job type")
    queue: Name | None = Field(None, description="only this queue")
    tag: Name | None = Field(None, description="only jobs with this tag")
    event: list[HappeningKind] = Field([], description="any of these")
    status: list[JobStatus] = Field([], description="only what leaves a job in any of these states")

    @property
    def filter(self) -> HappeningFilter:
        return HappeningFilter(
            job_id=self.job_id,
            job_type=self.job_type,
            queue=self.queue,
            tag=self.tag,
            event=frozenset(self.event),
            status=frozenset(self.status),
        )


class StreamEventAnswer(Answer):
    """The `data` of one event: something that happened to a job, or to one of its notifications."""

    event: HappeningKind
    job_id: UUID
    job_type: str
    queue: str
    tags: list[str]
    run: int
    attempt: int
    status: JobStatus = Field(description="how it left the job")
    at: Moment
    data: dict[str, Any] = Field(
        description="worker_id, error, run_at, as in the timeline; of PROGRESS: percent, message; of DELIVERY: "
        "delivery_id, event, channel, provider, status, reason, attempts"
    )


def encoded(happening: Happening) -> bytes:
    """One event, without its id. (JSON holds no line break.)"""
    return b"data: " + StreamEventAnswer.model_validate(happening).model_dump_json().encode() + b"\n\n"


def digest(happenings: Sequence[Happening]) -> bytes:
    """All of them as one event: how many there are, and the jobs of the latest, as the last of each has left it."""
    jobs: dict[UUID, dict[str, Any]] = {}
    for one in reversed(happenings):
        if one.job_id in jobs:
            jobs[one.job_id]["events"].append(one.event)
        elif len(jobs) < MAX_DIGEST:
            jobs[one.job_id] = {
                "job_id": str(one.job_id),  # the driver's UUIDs are of a class of their own
                "job_type": one.job_type,
                "status": one.status,
                "attempt": one.attempt,
                "at": one.at,
                "events": [one.event],
                "percent": one.data.get("percent") if one.event is HappeningKind.PROGRESS else None,
            }
    told = {"count": len(happenings), "is_whole": len(jobs) < MAX_DIGEST, "jobs": list(jobs.values())}
    return b"data: " + orjson.dumps(told) + b"\n\n"
