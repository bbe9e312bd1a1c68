"""Actions on many jobs on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StrictStr, model_validator

from perdure.models.job_action import ActionStatus, ActionVerb
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job_filter import JobFilterShape

MAX_REASON_LENGTH = 500


class JobActionCreate(Request):
    """One verb for all the jobs that match. A filter without a condition is refused: say ``all`` instead."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"action": "retry", "filter": {"status": ["FAILED"], "job_type": "report.build"}}]
        }
    )

    action: ActionVerb = Field(description="cancel or retry, as for a single job")
    filter: JobFilterShape = Field(default_factory=JobFilterShape, description="which: the filters of `GET /v1/jobs`")
    all: StrictBool = Field(False, description="every job there is, instead of a filter")
    reason: Annotated[StrictStr, Field(max_length=MAX_REASON_LENGTH)] | None = Field(
        None, description="why, for whoever reads of it later"
    )

    @model_validator(mode="after")
    def _means_what_it_says(self) -> JobActionCreate:
        if self.filter.is_empty and not self.all:
            raise ValueError(
                'the filter names no condition, so every job would match; if you mean that, say "all": true'
            )
        if self.all and not self.filter.is_empty:
            raise ValueError('give a filter or "all": true, not both')
        return self


class JobActionAnswer(Answer):
    """An action as it stands."""

    action_id: UUID
    action: ActionVerb = Field(validation_alias="verb")
    filter: Mapping[str, Any] = Field(description="as sent; empty: every job")
    reason: str | None
    status: ActionStatus
    done: int = Field(description="jobs acted on so far")
    skipped: Mapping[str, int] = Field(description="jobs that matched and were left as they are, counted by reason")
    requested_by: str = Field(description='the name of an API key, or "local" where none is asked for')
    stopped_by: str | None = Field(description="null: nobody stopped it")
    created_at: Moment
    finished_at: Moment | None = Field(description="null while it is RUNNING")


class JobActionList(Answer):
    items: list[JobActionAnswer]
    next_cursor: str | None


class JobActionPreview(Answer):
    """What an action would do just now."""

    action: ActionVerb = Field(validation_alias="verb")
    matched: int = Field(description="jobs that match, as far as was counted")
    is_complete: bool = Field(description="false: there are more, and the numbers are the least they can be")
    done: int = Field(description="those of them that it would act on")
    skipped: Mapping[str, int] = Field(description="those that it would leave as they are, counted by reason")
    sample: list[UUID] = Field(description="the newest jobs that it would act on, ten at most")
