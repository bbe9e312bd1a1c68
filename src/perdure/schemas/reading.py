"""From JSON to a wire model: strictly decoded, and each wrong field named, without the value that was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from perdure.errors import FieldProblem, ValidationFailed
from perdure.schemas import strict_json

Model = TypeVar("Model", bound=BaseModel)


class Refusal(Protocol):
    """Pydantic's error, or the one that FastAPI makes of it."""

    def errors(self) -> Sequence[Any]: ...


def read_json(model: type[Model], text: bytes) -> Model:
    """``text`` as ``model``; raises ``MalformedJSON``, or ``ValidationFailed`` with all that is wrong."""
    decoded = strict_json.decode(text)
    try:
        return model.model_validate(decoded)
    except ValidationError as error:
        raise ValidationFailed(field_problems(error)) from None


def field_problems(error: Refusal, *, skip: int = 0) -> list[FieldProblem]:
    """Every field that pydantic refused, by the name the sender knows, without the value that was sent."""
    return [
        FieldProblem(
            field=_path(one["loc"][skip:]) or "body",
            message=str(one["msg"]).removeprefix("Value error, "),
            code=str(one["type"]),
        )
        for one in error.errors()
    ]


def _path(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
