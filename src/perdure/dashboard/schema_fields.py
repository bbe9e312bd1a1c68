"""A job type's JSON Schema as fields: what a form asks for, and what people read of it.

A field is what an input can hold: a text, a number, yes or no, one of a few values, a list of such, a stored file; or,
one level down, a group of them. Whatever else a schema asks for is typed as JSON. So every schema has its form, and the
schema itself, not the form, decides what is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from perdure.core.job_factory import FILE_ID_FORMAT

Schema = Mapping[str, Any]

MAX_FIELDS = 60
"""An object with more is typed as JSON, as a whole."""
MAX_CHOICES = 60
LONG_TEXT = 200
"""A text that may be longer than this has more than a line to be typed in."""
_MAX_REFERENCES = 10
_NULL = {"type": "null"}
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "no shorter than {}",
    "maxLength": "no longer than {}",
    "pattern": "like {}",
    "minItems": "{} or more",
    "maxItems": "{} at most",
}


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    FILE = "file"
    LIST = "list"
    GROUP = "group"
    JSON = "json"


SCALARS = {"string": Kind.TEXT, "number": Kind.NUMBER, "integer": Kind.INTEGER, "boolean": Kind.BOOLEAN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property of an object. ``items`` is the kind of a list's items, ``fields`` are those of a group."""

    path: tuple[str, ...]
    kind: Kind
    items: Kind | None = None
    is_required: bool = False
    is_nullable: bool = False
    description: str = ""
    limits: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    default: str | None = None
    """As it is typed; None where the schema names none."""
    example: str | None = None
    """As JSON; the same."""
    is_long: bool = False
    fields: tuple[Field, ...] = ()

    @property
    def label(self) -> str:
        return self.path[-1]

    @property
    def name(self) -> str:
        """What it is called in a form: a path without blanks, whatever the properties are called."""
        return "".join(f"/{quote(part, safe='')}" for part in self.path)

    @property
    def place(self) -> str:
        """Where a problem with it is said to be (``errors``)."""
        return "payload" + "".join(f".{part}" for part in self.path)

    @property
    def said(self) -> str:
        """What it is, in a word or two."""
        items = "any of" if self.items is Kind.CHOICE else f"list of {self.items}"
        words = {
            Kind.LIST: items,
            Kind.FILE: "stored file",
            Kind.GROUP: "object",
            Kind.CHOICE: "one of",
            Kind.JSON: "JSON",
        }
        return words.get(self.kind, self.kind) + (" or null" if self.is_nullable else "")


def fields_of(schema: Schema) -> tuple[Field, ...] | None:
    """The fields of an object; None where the schema is of something else, or of an object without a list of them."""
    return _Reader(schema).fields(schema, ())


def flat(fields: Sequence[Field]) -> Iterator[Field]:
    """All of them, those of a group after it."""
    for field in fields:
        yield field
        yield from field.fields


def example_of(schema: Schema, fields: Sequence[Field] | None) -> Any:
    """A payload to begin with: the schema's own example, or what its fields say of themselves."""
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        return examples[0]
    return {one.label: json.loads(one.example) for one in fields or () if one.example is not None}


class _Reader:
    """Reads parts of one schema, in which references lead."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def fields(self, schema: Any, path: tuple[str, ...]) -> tuple[Field, ...] | None:
        plain, _ = self._plain(schema)
        properties = plain.get("properties")
        is_closed = plain.get("additionalProperties") is False
        if any(word in plain for word in _ALTERNATIVES) or plain.get("type", "object") != "object":
            return None
        if not isinstance(properties, Mapping) or not properties:
            return () if is_closed else None
        if len(properties) > MAX_FIELDS:
            return None
        required = plain.get("required")
        asked = set(map(str, required)) if isinstance(required, list) else set()
        found = [self._field(part, (*path, str(name)), str(name) in asked) for name, part in properties.items()]
        return tuple(sorted(found, key=lambda one: not one.is_required))

    def _field(self, schema: Any, path: tuple[str, ...], is_required: bool) -> Field:  # noqa: FBT001
        plain, is_nullable = self._plain(schema)
        kind, items, choices = self._kind(plain)
        fields: tuple[Field, ...] = ()
        if kind is Kind.JSON and len(path) == 1 and plain.get("type") == "object":
            found = self.fields(plain, path)
            if found:
                kind, fields = Kind.GROUP, found
        return Field(
            path=path,
            kind=kind,
            items=items,
            is_required=is_required,
            is_nullable=is_nullable,
            description=str(plain.get("description", "")),
            limits=tuple(said.format(plain[word]) for word, said in _LIMITS.items() if word in plain),
            choices=choices,
            default=_typed(plain.get("default")),
            example=next((_json(one) for one in _list(plain.get("examples"))), None),
            is_long=kind is Kind.TEXT and _is_long(plain),
            fields=fields,
        )

    def _kind(self, plain: Schema) -> tuple[Kind, Kind | None, tuple[Any, ...]]:
        """What it is; what its items are; what it, or each of them, may be."""
        choices = _choices(plain)
        if choices:
            return Kind.CHOICE, None, choices
        if plain.get("type") == "array":
            items, _ = self._plain(plain.get("items"))
            of = Kind.CHOICE if (choices := _choices(items)) else _scalar(items)
            return (Kind.JSON, None, ()) if of is None else (Kind.LIST, of, choices)
        return _scalar(plain) or Kind.JSON, None, ()

    def _plain(self, schema: Any) -> tuple[Schema, bool]:
        """The schema without references and without the null beside it, and whether there was one."""
        is_nullable = False
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, Mapping):
                return {}, is_nullable
            around = {name: value for name, value in schema.items() if name not in ("$ref", *_ALTERNATIVES)}
            if "$ref" in schema:
                schema = {**self._referred(schema["$ref"]), **around}
                continue
            word = next((one for one in _ALTERNATIVES if one in schema), None)
            if word is not None:
                ways = [one for one in _list(schema[word]) if one != _NULL]
                is_nullable |= len(ways) < len(_list(schema[word]))
                if len(ways) != 1 or not isinstance(ways[0], Mapping):
                    return schema, is_nullable
                schema = {**ways[0], **around}
                continue
            if isinstance(schema.get("type"), list):
                kinds = [one for one in schema["type"] if one != "null"]
                is_nullable |= len(kinds) < len(schema["type"])
                return ({**schema, "type": kinds[0]} if len(kinds) == 1 else around), is_nullable
            return schema, is_nullable
        return {}, is_nullable

    def _referred(self, reference: Any) -> Schema:
        """What a reference within the schema leads to; nothing known of it where it leads elsewhere."""
        found: Any = self._root
        steps = str(reference).removeprefix("#/").split("/") if str(reference).startswith("#/") else ["#"]
        for step in steps:
            if not isinstance(found, Mapping):
                return {}
            found = found.get(step.replace("~1", "/").replace("~0", "~"))
        return found if isinstance(found, Mapping) else {}


def _scalar(plain: Schema) -> Kind | None:
    kind = SCALARS.get(str(plain.get("type")))
    return Kind.FILE if kind is Kind.TEXT and plain.get("format") == FILE_ID_FORMAT else kind


def _choices(plain: Schema) -> tuple[Any, ...]:
    """The values that are named one by one, if they can be shown so."""
    values = [plain["const"]] if "const" in plain else _list(plain.get("enum"))
    are_few = len(values) <= MAX_CHOICES and all(isinstance(one, str | int | float | bool | None) for one in values)
    return tuple(values) if are_few else ()


def _is_long(plain: Schema) -> bool:
    longest = plain.get("maxLength")
    return isinstance(longest, int) and longest > LONG_TEXT


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _typed(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
