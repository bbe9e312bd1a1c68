"""The suppression list on the wire. Addresses are whole here: a list that cannot be read cannot be kept in order."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictStr

from perdure.models.suppression import SuppressionReason
from perdure.schemas.addresses import EmailAddress
from perdure.schemas.base import Answer, Moment, Request

MAX_ADDRESSES = 500


class SuppressionsAdd(Request):
    """Addresses that nothing is to be sent to."""

    addresses: Annotated[list[EmailAddress], Field(min_length=1, max_length=MAX_ADDRESSES)] = Field(
        description="bare e-mail addresses"
    )
    reason: SuppressionReason = Field(SuppressionReason.MANUAL, description="why, as a list from elsewhere may know it")
    note: Annotated[StrictStr, Field(max_length=500)] | None = Field(None, description="for whoever finds them listed")


class SuppressionsAdded(Answer):
    """What became of the addresses; each counts once, however often it was sent."""

    added: int
    known: int = Field(description="were listed before, and stay as they were")


class SuppressionAnswer(Answer):
    """An address that nothing is sent to."""

    address: str = Field(description="in lower case")
    reason: SuppressionReason
    note: str | None
    added_by: str = Field(description='a provider, "recipient", the name of an API key, or "local"')
    delivery_id: UUID | None = Field(description="the delivery that bounced, was complained of or unsubscribed from")
    created_at: Moment


class SuppressionList(Answer):
    items: list[SuppressionAnswer]
    next_cursor: str | None
