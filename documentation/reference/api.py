"""The page of the HTTP API, from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from documentation.markdown import anchor, code, page, prose, table
from documentation.reference.objects import distinct, meaning, shape_table
from perdure.routes.reference import Answer, Body, Operation, read_operations
from perdure.routes.reference_schema import ObjectShape

_INTRODUCTION = """
A running server shows this with examples at `/docs`, and as OpenAPI 3.1 at `/openapi.json`. Once a key was ever made,
requests send `Authorization: Bearer pdr_…` with a key that has the scope named ([keys](../how-to/keys.md)). Lists
answer `{"items": […], "next_cursor": …}`; give the cursor back as `cursor` for the next page. What is refused is
answered with a problem document ([errors](errors.md)).
"""


def render(openapi: Mapping[str, Any]) -> str:
    groups = read_operations(openapi)
    operations = [operation for group in groups.values() for operation in group]
    shapes = distinct(shape for operation in operations for body in _bodies(operation) for shape in body.objects)
    parts = []
    for tag, group in groups.items():
        parts.append(f"## {tag.capitalize()}")
        parts += [part for one in group for part in _operation(one, openapi["paths"][one.path][one.method.lower()])]
    return page("HTTP API", _INTRODUCTION, *parts, "## Objects", *(part for one in shapes for part in _object(one)))


def _check(operation: Operation) -> None:
    """Whatever a caller may send must be described."""
    where = f"{operation.method} {operation.path}"
    if operation.summary == operation.path:
        raise LookupError(f"{where} has no summary")
    sent = [one.field for one in operation.parameters if one.place != "path"]
    sent += [field for shape in distinct(operation.body.objects if operation.body else ()) for field in shape.fields]
    missing = [field.name for field in sent if not field.description and not field.objects]
    if missing:
        raise LookupError(f"{where}: these have no description: {', '.join(missing)}")


def _operation(operation: Operation, described: Mapping[str, Any]) -> Iterator[str]:
    _check(operation)
    yield f"### {operation.summary}"
    scopes = [scope for asked in described.get("security", ()) for scope in asked.get("key", ())]
    yield f"`{operation.method} {operation.path}`" + (f" · scope {', '.join(map(code, scopes))}" if scopes else "")
    if operation.description:
        yield prose(operation.description)
    if operation.parameters:
        rows = [[code(one.field.name), one.place, one.field.kind, meaning(one.field)] for one in operation.parameters]
        yield table(["parameter", "in", "type", "meaning"], rows)
    if operation.body is not None:
        yield f"Body: {_named(operation.body)}"
    yield "Answers: " + "; ".join(_answer(one) for one in operation.answers if not one.is_problem)
    refusals = [one.status for one in operation.answers if one.is_problem]
    if refusals:
        yield f"Problems: {', '.join(refusals)}"


def _object(shape: ObjectShape) -> Iterator[str]:
    yield f"### {shape.name}"
    if shape.description:
        yield prose(shape.description)
    yield shape_table(shape)


def _answer(answer: Answer) -> str:
    body = "nothing" if answer.body is None else _named(answer.body)
    return f"{answer.status} {answer.description}, {body}"


def _named(body: Body) -> str:
    """What a body is; objects are linked to their tables."""
    if not body.objects:
        return f"{body.kind}, as {code(body.media_type)}"
    names = {shape.name for shape in body.objects}
    words = [f"[{word}](#{anchor(word)})" if word in names else word for word in body.kind.split()]
    return " ".join(words)


def _bodies(operation: Operation) -> Iterator[Body]:
    if operation.body is not None:
        yield operation.body
    yield from (answer.body for answer in operation.answers if answer.body is not None)
