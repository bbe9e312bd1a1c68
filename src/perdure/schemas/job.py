"""The job on the wire: what may be submitted, and how a job is answered.

Validation is by shape alone. ``context`` and ``notifications`` are checked and then kept **exactly as sent**: no
default is written into them and no key dropped. What each channel's options may be is the business of its provider
(core/job_factory.py asks); here a channel is a name and a mapping.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, WrapValidator, model_validator

from perdure.models.lifecycle import JobStatus, TimelineEvent
from perdure.models.outcome import ErrorReason
from perdure.models.retry import LONGEST_WAIT_SECONDS, MAX_RETRIES
from perdure.schemas.addresses import EmailAddress
from perdure.schemas.base import Answer, Moment, Request

MAX_NAME_LENGTH = 100
MAX_TAGS = 20
MAX_KEY_LENGTH = 200
MAX_SECONDS = LONGEST_WAIT_SECONDS
"""Nothing is put off, or allowed to run, for longer than a leap year."""

Name = Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME_LENGTH, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
Priority = Annotated[StrictInt, Field(ge=-100, le=100)]
Retries = Annotated[StrictInt, Field(ge=0, le=MAX_RETRIES)]
Tags = Annotated[list[Name], Field(max_length=MAX_TAGS)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False, strict=True)]
PositiveSeconds = Annotated[float, Field(gt=0, le=MAX_SECONDS, allow_inf_nan=False, strict=True)]


def _keep_as_sent(value: Any, check: Callable[[Any], Any]) -> Any:
    """Checks the shape and keeps the value that was sent, not what the check made of it."""
    check(value)
    return value


AsSent = WrapValidator(_keep_as_sent)


class ContextShape(BaseModel):
    """Who the job is for. Other keys pass through untouched."""

    model_config = ConfigDict(extra="allow")

    user_id: StrictStr | None = Field(None, description="whose job it is, in your own terms")
    email: EmailAddress | None = Field(None, description="a bare, well-formed address; nobody checks who owns it")


class RetryShape(Request):
    """Back-off between attempts: starts at ``base_seconds``, doubles, stops growing at ``max_seconds``."""

    base_seconds: PositiveSeconds = Field(2.0, description="wait before the first further attempt")
    max_seconds: PositiveSeconds = Field(300.0, description="longest wait")


class JobCreate(Request):
    """A job to be done. Only ``job_type`` is required; null is as good as left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_type": "demo.sleep",
                    "payload": {"seconds": 1},
                    "context": {"user_id": "string", "email": "user@example.com"},
                    "notifications": {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}},
                }
            ]
        }
    )

    job_type: Name = Field(description="what to do: a name that a worker has published (`GET /v1/job-types`)")
    payload: Any = Field(None, description="the input, checked against the job type's schema; default {}")
    queue: Name | None = Field(None, description='default "default"; a queue needs no declaration')
    priority: Priority | None = Field(None, description="higher runs first; default 0")
    run_at: Moment | None = Field(None, description="not before this moment")
    delay_seconds: Seconds | None = Field(None, description="not before so many seconds from now")
    expires_at: Moment | None = Field(
        None, description="too late to begin after this: what still waits then fails with the reason `expired`"
    )
    max_retries: Retries | None = Field(
        None, description="further attempts after a failed one; default: the processor's own, else 3"
    )
    timeout_seconds: PositiveSeconds | None = Field(
        None, description="how long one attempt may take; default: the processor's own, else 3600"
    )
    retry: RetryShape | None = Field(None, description="default: the processor's own, else 2 s doubling up to 5 min")
    tags: Tags | None = Field(None, description="words to find it by")
    context: Annotated[ContextShape | None, AsSent] = Field(None, description="who the job is for; kept as sent")
    notifications: dict[str, dict[str, Any] | None] | None = Field(
        None, description="whom to tell, per channel; kept as sent"
    )
    unique_key: Annotated[StrictStr, Field(min_length=1, max_length=MAX_KEY_LENGTH)] | None = Field(
        None, description="refused (409) while a live job has the same one, of whatever type"
    )
    concurrency_key: Annotated[StrictStr, Field(min_length=1, max_length=MAX_KEY_LENGTH)] | None = Field(
        None, description="no more jobs of one key run at a time than their type allows, by default one"
    )

    @model_validator(mode="after")
    def _one_due_time(self) -> JobCreate:
        if self.run_at is not None and self.delay_seconds is not None:
            raise ValueError("give run_at or delay_seconds, not both")
        return self


class JobEdits(Request):
    """How the copy of a job differs from it; null is as good as left out."""

    payload: Any = Field(None, description="the whole input, checked like any")
    queue: Name | None = Field(None, description="another queue")
    priority: Priority | None = Field(None, description="another priority")
    max_retries: Retries | None = Field(None, description="further attempts after a failed one")
    timeout_seconds: PositiveSeconds | None = Field(None, description="how long one attempt may take")
    tags: Tags | None = Field(None, description="instead of those that it has; empty for none")

    @property
    def given(self) -> dict[str, Any]:
        """The fields that differ."""
        return {name: value for name in sorted(self.model_fields_set) if (value := getattr(self, name)) is not None}


class RetryAnswer(Answer):
    """Back-off between attempts."""

    base_seconds: float
    max_seconds: float


class ErrorAnswer(Answer):
    """How an attempt failed."""

    reason: ErrorReason
    type: str
    message: str
    traceback: str | None
    fingerprint: str | None = Field(description="the same for failures that are the same; null for old ones")


class JobSummary(Answer):
    """A job in a list: all but its payload and result."""

    job_id: UUID
    job_type: str
    queue: str
    priority: int
    status: JobStatus
    run: int = Field(description="counts from 1; a retry of a finished job opens the next")
    attempt: int = Field(description="of this run: 0 until it starts, then from 1")
    max_attempts: int = Field(description="max_retries + 1")
    timeout_seconds: float = Field(description="how long one attempt may take")
    retry: RetryAnswer
    tags: list[str]
    created_at: Moment
    run_at: Moment = Field(description="when it was, or will be, due")
    started_at: Moment | None = Field(description="when its latest attempt began")
    finished_at: Moment | None = Field(description="null until it is final")
    cancel_requested_at: Moment | None
    expires_at: Moment | None = Field(description="no attempt begins after this; null: never too late")
    unique_key: str | None = Field(description="no other live job has it")
    concurrency_key: str | None = Field(description="no more jobs of one key run at a time than their type allows")
    copy_of: UUID | None = Field(description="the job whose edited copy it is")
    context: dict[str, Any] | None = Field(description="as sent")
    notifications: dict[str, Any] | None = Field(description="as sent")
    progress: dict[str, Any] | None = Field(description="{percent, message}, as its processor last told it")
    error: ErrorAnswer | None = Field(description="how the last attempt failed")


class JobAnswer(JobSummary):
    """A job, whole."""

    payload: Any
    result: Any = Field(description="what the processor returned; null until it succeeded")


class JobList(Answer):
    items: list[JobSummary]
    next_cursor: str | None = Field(
        description="pass it as `cursor` for the next page; null on the last one alone, though others may be empty"
    )


class EventAnswer(Answer):
    """One line of a job's timeline."""

    event: TimelineEvent
    run: int
    attempt: int
    at: Moment
    data: dict[str, Any] = Field(description="what belongs to it: worker_id, error, run_at")


class EventList(Answer):
    items: list[EventAnswer]
    next_cursor: None = None
