"""The API reference: the OpenAPI document as one page, served locally, without scripts or foreign assets.

The document is turned into small values here; the template only lays them out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

DEEPEST = 6
"""Schemas that contain themselves are shown this deep."""
_LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "maxItems",
    "pattern",
)


@dataclass(frozen=True, slots=True)
class Field:
    """A property or a parameter: its name, what it may be, and the properties inside it."""

    name: str
    kind: str
    required: bool
    description: str
    limits: str
    inner: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    kind: str


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    curl: str
    answers: tuple[Answer, ...]


def render_reference(openapi: Mapping[str, Any]) -> str:
    """The page for an OpenAPI 3.1 document."""
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _Reader(openapi).operations():
        groups.setdefault(tag, []).append(operation)
    return _template().render(info=openapi["info"], groups=groups)


@lru_cache
def _template() -> Template:
    loader = PackageLoader("perdure.routes")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("reference.html")


class _Reader:
    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self._paths: Mapping[str, Any] = openapi["paths"]
        self._schemas: Mapping[str, Any] = openapi.get("components", {}).get("schemas", {})

    def operations(self) -> Iterator[tuple[str, Operation]]:
        for path, methods in self._paths.items():
            for method, operation in methods.items():
                yield (operation.get("tags") or ["other"])[0], self._operation(path, method.upper(), operation)

    def _operation(self, path: str, method: str, operation: Mapping[str, Any]) -> Operation:
        body = self._body(operation)
        return Operation(
            anchor=operation["operationId"],
            method=method,
            path=path,
            summary=operation.get("summary", ""),
            description=operation.get("description", ""),
            parameters=tuple(self._parameter(one) for one in operation.get("parameters", ())),
            body=self._fields(body, DEEPEST),
            curl=_curl(method, path, body, operation),
            answers=tuple(self._answer(status, one) for status, one in sorted(operation["responses"].items())),
        )

    def _body(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        content = operation.get("requestBody", {}).get("content", {})
        schema: Mapping[str, Any] = content.get("application/json", {}).get("schema", {})
        return self._resolved(schema)

    def _parameter(self, parameter: Mapping[str, Any]) -> Field:
        schema = parameter.get("schema", {})
        description = parameter.get("description") or schema.get("description", "")
        required = parameter.get("required", False)
        return Field(parameter["name"], self._kind(schema), required, description, _limits(schema))

    def _fields(self, schema: Mapping[str, Any], depth: int) -> tuple[Field, ...]:
        """The properties of an object, looking through references, alternatives and arrays."""
        if depth == 0:
            return ()
        required = set(schema.get("required", ()))
        return tuple(
            Field(
                name=name,
                kind=self._kind(one),
                required=name in required,
                description=one.get("description", ""),
                limits=_limits(one),
                inner=self._fields(self._object_in(one), depth - 1),
            )
            for name, one in schema.get("properties", {}).items()
        )

    def _object_in(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        schema = self._resolved(schema)
        for inner in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
            found = self._object_in(inner)
            if "properties" in found:
                return found
        return schema

    def _kind(self, schema: Mapping[str, Any]) -> str:
        """What a value may be, in words: ``string (uuid) or null``."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._kind(one) for one in schema["anyOf"]))
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        if "const" in schema:
            return json.dumps(schema["const"])
        if schema.get("type") == "array":
            return f"list of {self._kind(schema.get('items', {}))}"
        kind = schema.get("type", "anything")
        return f"{kind} ({schema['format']})" if "format" in schema else str(kind)

    def _answer(self, status: str, answer: Mapping[str, Any]) -> Answer:
        schemas = [one.get("schema", {}) for one in answer.get("content", {}).values()]
        name = schemas[0].get("$ref", "").rpartition("/")[2] if schemas else ""
        return Answer(status, answer.get("description", ""), name)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema


def _limits(schema: Mapping[str, Any]) -> str:
    found = {name: schema[name] for name in _LIMITS if name in schema}
    for one in schema.get("anyOf", ()):
        found |= {name: one[name] for name in _LIMITS if name in one}
    return ", ".join(f"{name} {value}" for name, value in found.items())


def _curl(method: str, path: str, body: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """A line to try, with the schema's own example as its body."""
    parts = ["curl"] if method == "GET" else ["curl", "-X", method]
    parts.append(f"http://127.0.0.1:8080{path.replace('{', '$').replace('}', '')}")
    if body:
        example = (body.get("examples") or [{}])[0]
        parts += ["-H 'content-type: application/json'", f"-d '{json.dumps(example)}'"]
    elif "requestBody" in operation:
        parts.append("--data-binary @FILE")
    return " ".join(parts)
