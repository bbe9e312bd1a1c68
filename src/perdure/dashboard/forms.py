"""What a form comes to: a wire model of the API, or what is wrong with it, said beside the fields it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from perdure.errors import FieldProblem, InvalidInput, ValidationFailed
from perdure.schemas.reading import field_problems

Model = TypeVar("Model", bound=BaseModel)


def read_form(model: type[Model], values: Mapping[str, Any]) -> Model:
    """``values`` as ``model``; what is None was left out. Raises ``ValidationFailed`` with all that is wrong."""
    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise ValidationFailed(field_problems(error)) from None


def problems_of(error: InvalidInput, field: str) -> list[FieldProblem]:
    """What is wrong; where the error names no field, it is about ``field``."""
    if isinstance(error, ValidationFailed):
        return list(error.problems)
    return [FieldProblem(field, error.detail, error.code)]


def by_field(problems: Sequence[FieldProblem]) -> dict[str, str]:
    """The first thing that is wrong with each field of a form, with what of it that is where it has parts."""
    said: dict[str, str] = {}
    for one in problems:
        name = one.field.partition(".")[0].partition("[")[0]
        said.setdefault(name, one.message if name == one.field else f"{one.field} {one.message}")
    return said
