"""From JSON to a wire model: strictly decoded, and each wrong field named, without the value that was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from perdure.errors import FieldProblem, ValidationFailed
from perdure.schemas import strict_json

Model = TypeVar("Model", bound=BaseModel)


_A_TIME = "must be a time such as 2030-01-31T12:00:00Z"


class Refusal(Protocol):
    """Pydantic's error, or the one that FastAPI makes of it."""

    def errors(self) -> Sequence[Any]: ...


def read_json(model: type[Model], text: bytes) -> Model:
    """``text`` as ``model``; raises ``MalformedJSON``, or ``ValidationFailed`` with all that is wrong."""
    return validated(model, strict_json.decode(text))


def validated(model: type[Model], decoded: strict_json.JsonValue) -> Model:
    """``decoded`` as ``model``; raises ``ValidationFailed`` with all that is wrong."""
    try:
        return model.model_validate(decoded)
    except ValidationError as error:
        raise ValidationFailed(field_problems(error)) from None


def field_problems(error: Refusal, *, skip: int = 0) -> list[FieldProblem]:
    """Every field that pydantic refused, by the name the sender knows, without the value that was sent."""
    return [
        FieldProblem(
            field=_path(one["loc"][skip:]) or "body",
            message=_said(one),
            code=str(one["type"]),
        )
        for one in error.errors()
    ]


_SAID = {
    "extra_forbidden": "is not known here",
    "missing": "must be given",
    "too_short": "must have at least {min_length}",
    "datetime_parsing": _A_TIME,
    "datetime_from_date_parsing": _A_TIME,
}
"""What pydantic says in words that only its users know, by its code."""


def _said(one: Mapping[str, Any]) -> str:
    said = _SAID.get(one["type"])
    return str(one["msg"]).removeprefix("Value error, ") if said is None else said.format_map(one.get("ctx", {}))


def _path(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
