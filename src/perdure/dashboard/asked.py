"""What a list shows, as its page's address says it: the filters of the API, and a few that are easier said.

Everything that is chosen stands in the address, so that a page can be kept, and sent to somebody. Each list has a kind
of its own (``job_filters``, ``delivery_filters``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Generic, Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import ImmutableMultiDict

from perdure.errors import FieldProblem, ValidationFailed
from perdure.schemas import base
from perdure.schemas.reading import field_problems

Shape = TypeVar("Shape", bound=base.Request)

AGES = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
"""How far back, easier said than the moment from which on."""
TIMES = {"age": "not older than", "created_after": "from", "created_before": "until"}
"""What the filters by time are called, which every list has."""
_MOMENTS = ("created_after", "created_before")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Shape]):
    """The filter, and the parts of the address that say it."""

    path: ClassVar[str]
    """Where the list is."""
    schema: ClassVar[type[base.Request]]
    """Of the filters; it has ``status``, any number of times."""
    labels: ClassVar[dict[str, str]]
    """What a filter is called; the state has tabs of its own."""

    shape: Shape
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, request: Request, now: datetime) -> Self:
        return cls.of(request.query_params, now)

    @classmethod
    def of(cls, sent: ImmutableMultiDict[str, str], now: datetime) -> Self:
        """Raises ``ValidationFailed`` for values that nothing can have."""
        names = {*cls.labels, "status"}
        fields = [(name, value.strip()) for name, value in sent.multi_items() if name in names and value.strip()]
        values: dict[str, object] = dict(fields)
        values["status"] = [value for name, value in fields if name == "status"]
        if (age := values.pop("age", None)) is not None:
            if age not in AGES:
                raise ValidationFailed([FieldProblem("age", f"must be one of {', '.join(AGES)}", "enum")])
            values.setdefault("created_after", (now - AGES[str(age)]).isoformat())
        values |= {name: _with_zone(str(values[name])) for name in _MOMENTS if name in values}
        try:
            return cls(cls.schema.model_validate(values), tuple(fields))  # type: ignore[arg-type]
        except ValidationError as error:
            raise ValidationFailed(field_problems(error)) from None

    @property
    def chosen(self) -> Sequence[tuple[str, str, str]]:
        """Each filter besides the state: what it is called, its value, and the address without it."""
        return [
            (self.labels[name], value, self.address(**{name: None}))
            for name, value in self.fields
            if name in self.labels
        ]

    def value(self, name: str) -> str:
        """As it stands in the address; empty if it does not."""
        return next((value for field, value in self.fields if field == name), "")

    def address(self, path: str | None = None, /, **changes: str | UUID | None) -> str:
        """The address of the same, but for these parts; None leaves one out."""
        kept = [(name, value) for name, value in self.fields if name not in changes]
        parts = kept + [(name, str(value)) for name, value in changes.items() if value is not None]
        path = self.path if path is None else path
        return f"{path}?{urlencode(parts)}" if parts else path


def _with_zone(moment: str) -> str:
    """What a field for times sends says no zone: it is asked for in UTC."""
    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return moment if read.tzinfo else read.replace(tzinfo=UTC).isoformat()
