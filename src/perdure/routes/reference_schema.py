"""JSON Schema in words, for the API reference: what a value may be, and the properties of the objects inside it.

A schema may contain itself; each path through it ends where it would meet an object a second time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

DEEPEST = 6
"""Objects in objects are shown this deep, kinds (``list of list of …``) as well."""

_RANGES = (
    ("minimum", "maximum", "{}"),
    ("minLength", "maxLength", "{} characters"),
    ("minItems", "maxItems", "{} items"),
)
_BOUNDS = {
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "pattern": "matches {}",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A property or a parameter: what it may be in words, the values it may have, and the objects inside it."""

    name: str
    kind: str
    required: bool
    description: str
    limits: tuple[str, ...]
    values: tuple[str, ...]
    objects: tuple[ObjectShape, ...]


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """An object: its name where it has one, and its properties."""

    name: str
    description: str
    fields: tuple[Field, ...]


class SchemaReader:
    """Reads the schemas of one OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def field(
        self, name: str, schema: Schema, *, required: bool, description: str = "", seen: frozenset[str] = frozenset()
    ) -> Field:
        return Field(
            name=name,
            kind=self.kind(schema),
            required=required,
            description=description or self._resolved(schema)[1].get("description", ""),
            limits=tuple(dict.fromkeys(self._limits(schema))),
            values=tuple(dict.fromkeys(self._values(schema))),
            objects=self.objects(schema, seen),
        )

    def objects(self, schema: Schema, seen: frozenset[str] = frozenset()) -> tuple[ObjectShape, ...]:
        """The objects with properties that a value of ``schema`` may be or hold, but for those in ``seen``."""
        if len(seen) >= DEEPEST:
            return ()
        found: list[ObjectShape] = []
        for reference, one in self._alternatives(schema):
            if reference in seen:
                continue
            inside = seen | {reference or f"level {len(seen)}"}
            if "properties" in one:
                found.append(self._object(reference, one, inside))
            for part in (one.get("items"), one.get("additionalProperties")):
                found += self.objects(_schema(part), inside)
        return tuple(dict.fromkeys(found))

    def examples(self, schema: Schema) -> list[Any]:
        return [example for _, one in self._alternatives(schema) for example in one.get("examples", ())]

    def kind(self, schema: Schema, depth: int = 0) -> str:
        """What a value may be, in words: ``list of string (uuid) or null``."""
        if depth > DEEPEST:
            return "…"
        kinds = (self._kind(reference, one, depth) for reference, one in self._alternatives(schema))
        return " or ".join(dict.fromkeys(kinds))

    def _object(self, reference: str, schema: Schema, seen: frozenset[str]) -> ObjectShape:
        required = schema.get("required", ())
        return ObjectShape(
            name=_name(reference, schema),
            description=schema.get("description", ""),
            fields=tuple(
                self.field(name, one, required=name in required, seen=seen)
                for name, one in schema["properties"].items()
            ),
        )

    def _kind(self, reference: str, schema: Schema, depth: int) -> str:
        kind = schema.get("type", "string" if "enum" in schema else "any JSON")
        if "const" in schema:
            return json.dumps(schema["const"])
        if kind == "array":
            return f"list of {self.kind(_schema(schema.get('items')), depth + 1)}"
        if "properties" in schema:
            return _name(reference, schema)
        if kind == "object" and (members := _schema(schema.get("additionalProperties"))):
            return f"object of {self.kind(members, depth + 1)}"
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        return f"{kind} ({schema['format']})" if "format" in schema else str(kind)

    def _limits(self, schema: Schema, depth: int = 0) -> Iterator[str]:
        for _, one in self._alternatives(schema):
            yield from _bounds(one)
            if "items" in one and depth < DEEPEST:
                yield from (f"each {limit}" for limit in self._limits(_schema(one["items"]), depth + 1))
        if schema.get("default") is not None:
            yield f"default {json.dumps(schema['default'])}"

    def _values(self, schema: Schema, depth: int = 0) -> Iterator[str]:
        for _, one in self._alternatives(schema):
            yield from (json.dumps(value) for value in one.get("enum", ()))
            if "items" in one and depth < DEEPEST:
                yield from self._values(_schema(one["items"]), depth + 1)

    def _alternatives(self, schema: Schema, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Schema]]:
        """Each thing that ``schema`` allows, with the name it is referred to by, or ``""``."""
        reference, schema = self._resolved(schema)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if not choices:
            yield reference, schema
        elif not reference or reference not in seen:
            for choice in choices:
                yield from self._alternatives(choice, seen | {reference})

    def _resolved(self, schema: Schema) -> tuple[str, Schema]:
        """What ``schema`` refers to, and its name there. Words beside a reference go before those of its target."""
        name = ""
        for _ in range(DEEPEST):
            if "$ref" not in schema:
                return name, schema
            name = schema["$ref"].rpartition("/")[2]
            target = self._document.get("components", {}).get("schemas", {}).get(name, {"title": name})
            schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        return name, {}


def _name(reference: str, schema: Schema) -> str:
    """The title first: it has no ``-Input`` or ``-Output`` at its end."""
    return str(schema.get("title") or reference or "object")


def _bounds(schema: Schema) -> Iterator[str]:
    for least, most, text in _RANGES:
        match schema.get(least), schema.get(most):
            case None, None:
                continue
            case low, None:
                yield f"at least {text.format(low)}"
            case None, high:
                yield f"at most {text.format(high)}"
            case low, high:
                yield text.format(f"{low} to {high}")
    yield from (text.format(schema[name]) for name, text in _BOUNDS.items() if name in schema)


def _schema(schema: Any) -> Schema:
    """``true`` and what is left out allow everything, like ``{}``."""
    return schema if isinstance(schema, Mapping) else {}
