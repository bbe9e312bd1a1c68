"""Schedules on the wire. The job inside is checked as a submitted one, and kept as sent."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictBool, StrictStr

from perdure.models.lifecycle import JobStatus
from perdure.models.schedule import CatchUp, Overlap, SlotOutcome
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job import AsSent, JobCreate

Expression = Annotated[StrictStr, Field(min_length=1, max_length=200)]
TimeZone = Annotated[StrictStr, Field(min_length=1, max_length=100)]


def _left_out(value: Any) -> None:
    if value is not None:
        raise ValueError("is not for a scheduled job to say; leave it out")


LeftOut = Annotated[None, BeforeValidator(_left_out)]


class ScheduledJob(JobCreate):
    """The job as it would be submitted, but for when: that is the schedule's to say."""

    run_at: LeftOut = Field(None, description="must be null: the schedule says when")
    delay_seconds: LeftOut = Field(None, description="must be null: the schedule says when")
    expires_at: LeftOut = Field(None, description="must be null: no moment suits every job of a schedule")


class ScheduleWrite(Request):
    """A schedule, whole: what is left out has its default, whatever it was before."""

    expression: Expression = Field(
        description="minute, hour, day of month, month, day of week (`30 2 * * MON-FRI`), or `@daily` and the like"
    )
    time_zone: TimeZone = Field("UTC", description="in whose time the expression is meant: an IANA name")
    job: Annotated[ScheduledJob, AsSent] = Field(description="what to submit at each time; kept as sent")
    catch_up: CatchUp = Field(
        CatchUp.LATEST, description="what becomes of times that were missed, while nothing ran or it was paused"
    )
    overlap: Overlap = Field(
        Overlap.ALLOW, description="whether a time gets its job while an earlier job of the schedule is not final"
    )
    paused: StrictBool = Field(False, description="true: it submits nothing until it is set again")


class ScheduleSummary(Answer):
    """A schedule in a list."""

    name: str
    expression: str
    time_zone: str
    job: dict[str, Any] = Field(description="as sent")
    catch_up: CatchUp
    overlap: Overlap
    paused: bool
    created_at: Moment
    updated_at: Moment = Field(description="when it was last set")
    next_run_at: Moment | None = Field(
        validation_alias="next_slot_at", description="when it is next due; null while it is paused"
    )
    last_error: str | None = Field(description="why its latest job could not be made; null when it could")


class ScheduleRun(Answer):
    """One time of a schedule, and what became of it."""

    slot_at: Moment
    outcome: SlotOutcome
    job_id: UUID | None
    job_status: JobStatus | None = Field(description="null without a job, and for one that retention removed")


class ScheduleAnswer(ScheduleSummary):
    """A schedule, whole."""

    description: str = Field(description="the expression in words")
    next_runs: list[Moment] = Field(description="the next times")
    last_runs: list[ScheduleRun] = Field(description="the latest times, the latest first")


class ScheduleList(Answer):
    items: list[ScheduleSummary]
    next_cursor: None = None
