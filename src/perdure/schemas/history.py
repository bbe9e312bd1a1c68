"""What was done over time, on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from perdure.models.history import FEW_POINTS, KEPT_DAYS, MAX_POINTS, STEPS
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job import Name


def _known_step(step: int) -> int:
    if step not in STEPS:
        raise ValueError(f"must be one of {', '.join(map(str, STEPS))}")
    return step


class HistoryQuery(Request):
    """Which stretch of time, in which steps, and of what."""

    start: Moment | None = Field(None, alias="from", description="default: an hour before `to`")
    end: Moment | None = Field(None, alias="to", description="default: now")
    step: Annotated[int, Field(json_schema_extra={"enum": list(STEPS)}), AfterValidator(_known_step)] | None = Field(
        None,
        description=f"seconds from point to point, at most {MAX_POINTS:,} of them; default: the shortest with no more "
        f"than {FEW_POINTS}",
    )
    queue: Name | None = Field(None, description="only this queue")
    job_type: Name | None = Field(None, description="only this job type")


class QuantilesAnswer(Answer):
    """Seconds that half, 95 % and 99 % did not exceed; off by an eighth at most, null where no attempt ended."""

    p50: float | None
    p95: float | None
    p99: float | None


class PointAnswer(Answer):
    """What was done in one step. Of the attempts that ended in it: from due time to start, and from start to end."""

    at: Moment = Field(description="where the step begins")
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int = Field(description="attempts that failed and are followed by another")
    attempts: int = Field(description="attempts that ended")
    wait_seconds: QuantilesAnswer
    duration_seconds: QuantilesAnswer


class HistoryAnswer(Answer):
    """One point a step, in order; a step in which nothing was done is all zeros. The latest is five seconds behind."""

    start: Moment
    end: Moment
    step_seconds: int = Field(
        description="steps under an hour are kept for {} days, longer ones for {}".format(*KEPT_DAYS.values())
    )
    points: list[PointAnswer]
