"""Subscriptions on the wire. ``notifications`` are checked as a job's, and kept as sent."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictStr

from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job import Name

MAX_EVENTS = 10


class SubscriptionWrite(Request):
    """A subscription, whole: what is left out has its default, whatever it was before."""

    job_type: Name | None = Field(None, description="only jobs of this type; default: any")
    queue: Name | None = Field(None, description="only jobs of this queue; default: any")
    events: Annotated[list[StrictStr], Field(min_length=1, max_length=MAX_EVENTS)] = Field(
        ["FAILURE"], description="what to tell of: SUCCESS, FAILURE, CANCELLED"
    )
    notifications: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)] = Field(
        description="whom to tell, per channel, as a job declares it but without `on`; kept as sent"
    )


class SubscriptionAnswer(Answer):
    """Whom the operator wants told of which jobs."""

    name: str
    job_type: str | None = Field(description="null: of any type")
    queue: str | None = Field(description="null: of any queue")
    events: list[str]
    notifications: dict[str, Any] = Field(description="as sent")
    created_at: Moment
    updated_at: Moment = Field(description="when it was last set")
    set_by: str = Field(description="who set it then: the name of an API key, or `local`")


class SubscriptionList(Answer):
    items: list[SubscriptionAnswer]
    next_cursor: None = None
