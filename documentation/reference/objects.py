"""JSON Schema as tables, by the reader that the server's own reference page uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from documentation.markdown import code, table
from perdure.routes.reference_schema import Field, ObjectShape, SchemaReader


def objects_of(schema: Mapping[str, Any]) -> list[str]:
    """The object that ``schema`` describes and those inside it, a table each."""
    reader = SchemaReader({"components": {"schemas": schema.get("$defs", {})}})
    shapes = distinct(reader.objects(schema))
    return [
        part
        for shape in shapes
        for part in ([f"*{shape.name}*"] if shape is not shapes[0] else []) + [shape_table(shape)]
    ]


def distinct(shapes: Iterable[ObjectShape]) -> list[ObjectShape]:
    """The objects and those inside them, each once, the outer before the inner."""
    found: dict[str, ObjectShape] = {}
    for shape in _all(shapes):
        found.setdefault(shape.name, shape)
    return list(found.values())


def shape_table(shape: ObjectShape) -> str:
    return table(["field", "type", "meaning"], [[_name(field), field.kind, meaning(field)] for field in shape.fields])


def meaning(field: Field) -> str:
    """The description, then what a value is limited to."""
    limits = [re.sub(r"^matches (.+)", r"matches `\1`", limit) for limit in field.limits]
    if field.values:
        limits.append(f"one of {', '.join(map(code, field.values))}")
    return "; ".join(part for part in (field.description, *limits) if part)


def _name(field: Field) -> str:
    return code(field.name) + (" (required)" if field.required else "")


def _all(shapes: Iterable[ObjectShape]) -> Iterator[ObjectShape]:
    for shape in shapes:
        yield shape
        yield from _all(inner for field in shape.fields for inner in field.objects)
