"""What all wire models share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class Request(BaseModel):
    """Something sent to us: unknown keys are refused, so that a misspelt option is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Something we answer, read off a value of the house."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _not_a_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be an ISO 8601 string with its offset, such as 2030-01-31T12:00:00Z")  # noqa: TRY004
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def written_moment(moment: datetime) -> str:
    """A point in time as it is answered."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_not_a_number),
    AfterValidator(_in_utc),
    PlainSerializer(written_moment, return_type=str, when_used="json"),
]
"""A point in time with its offset (ISO 8601); answered in UTC."""
