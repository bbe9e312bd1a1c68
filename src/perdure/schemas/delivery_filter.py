"""Which deliveries are meant: one definition for the list and for whatever acts on all that match.

How each filter is answered is decided in ``repositories/delivery_search.py``. A delivery must match all that are given.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictStr, model_validator

from perdure.models.delivery import LIVE, DeliveryStatus
from perdure.schemas.base import Answer, Moment, Request
from perdure.schemas.job import Name

MAX_RECIPIENT_LENGTH = 2048
Recipient = Annotated[StrictStr, Field(min_length=1, max_length=MAX_RECIPIENT_LENGTH, pattern=r"^[^\x00]*$")]
"""Anything that PostgreSQL can be asked for."""


class DeliveryFilterShape(Request):
    """Filters; those that are left out, null or empty say nothing."""

    status: list[DeliveryStatus] = Field([], description="any of these")
    channel: Name | None = Field(None, description="only by this channel")
    provider: Name | None = Field(None, description="only by this provider")
    event: Name | None = Field(None, description="only of this event")
    job_type: Name | None = Field(None, description="only of jobs of this type")
    recipient: Recipient | None = Field(None, description="only to exactly this one: an address, a URL, …")
    job_id: UUID | None = Field(None, description="only of this job")
    created_after: Moment | None = Field(None, description="only newer ones, or made at this moment")
    created_before: Moment | None = Field(None, description="only older ones")


class DeliveryResend(Request):
    """Which deliveries to send again. States must be named, so that nobody is told twice unawares."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filter": {"status": ["FAILED"], "created_after": "2030-01-31T12:00:00Z"}}]}
    )

    filter: DeliveryFilterShape = Field(description="the filters of `GET /v1/deliveries`")

    @model_validator(mode="after")
    def _names_states_that_have_ended(self) -> DeliveryResend:
        if not self.filter.status or LIVE & set(self.filter.status):
            raise ValueError('name the states in the filter, of those that have ended, such as "status": ["FAILED"]')
        return self


class ResentAnswer(Answer):
    """What a batch came to."""

    matched: int
    resent: int = Field(description="those that were sent again, or would be; the others were already, or have nobody")
    next_cursor: str | None = Field(description="where the next batch begins; null: that was all")
