"""The API reference: the OpenAPI document as one page, served locally, without scripts or foreign assets.

The document is turned into small values here and in ``reference_schema``; the template only lays them out.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from perdure import errors
from perdure.routes import problems
from perdure.routes.reference_schema import Field, ObjectShape, SchemaReader

_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_JSON = "application/json"
_DEFAULT_SERVER = "http://127.0.0.1:8080"
_UNSAID = "Successful Response"
"""What FastAPI writes where nobody described an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent or answered: its media type, what it may be in words, its objects, and an example."""

    media_type: str
    kind: str
    objects: tuple[ObjectShape, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: str
    body: Body | None

    @property
    def is_problem(self) -> bool:
        return self.body is not None and self.body.media_type == problems.MEDIA_TYPE


@dataclass(frozen=True, slots=True)
class Parameter:
    place: str
    field: Field


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    curl: str
    answers: tuple[Answer, ...]


def render_reference(openapi: Mapping[str, Any]) -> str:
    """The page for an OpenAPI 3.1 document. It fits the policy ``default-src 'none'; style-src 'unsafe-inline'``."""
    groups = read_operations(openapi)
    found = (_problem_in(operation) for group in groups.values() for operation in group)
    problem = next((shape for shape in found if shape is not None), None)
    info = {"summary": "", "description": "", **openapi["info"]}
    return _template().render(info=info, groups=groups, problem=problem, codes=_problem_codes())


def read_operations(openapi: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """The operations of an OpenAPI document by their first tag, in its order."""
    groups: dict[str, list[Operation]] = {}
    for tag, operation in _Reader(openapi).operations():
        groups.setdefault(tag, []).append(operation)
    return groups


def _problem_in(operation: Operation) -> ObjectShape | None:
    bodies = (answer.body for answer in operation.answers if answer.body and answer.is_problem)
    return next((shape for body in bodies for shape in body.objects), None)


def _problem_codes() -> dict[int, list[str]]:
    """Which codes come with which status. Those of 500 are for the server's log."""
    codes: dict[int, list[str]] = {}
    tree = errors.tree()
    for kind in tree:
        is_raised = not any(kind in other.__bases__ for other in tree)  # the others are names for several
        status = problems.status_of(kind)
        if is_raised and status != HTTPStatus.INTERNAL_SERVER_ERROR:
            codes.setdefault(status, []).append(kind.code)
    return dict(sorted(codes.items()))


@lru_cache
def _template() -> Template:
    loader = PackageLoader("perdure.routes")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = _prose
    environment.filters["line"] = _line
    return environment.get_template("reference.html")


def _line(text: str) -> Markup:
    """One run of text, `code` shown as such. Escaped first, so that only these tags are tags."""
    return Markup(re.sub(r"``?([^`]+)``?", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def _prose(text: str) -> Markup:
    """Paragraphs, where blank lines part them."""
    return Markup("").join(Markup("<p>{}</p>").format(_line(part)) for part in re.split(r"\n\s*\n", text.strip()))


class _Reader:
    def __init__(self, openapi: Mapping[str, Any]) -> None:
        self._openapi = openapi
        self._schemas = SchemaReader(openapi)

    def operations(self) -> Iterator[tuple[str, Operation]]:
        """Each operation with its first tag, in the document's order."""
        for path, item in self._openapi["paths"].items():
            for method, operation in item.items():
                if method in _METHODS:
                    tag = (operation.get("tags") or ["other"])[0]
                    yield tag, self._operation(path, method.upper(), operation)

    def _operation(self, path: str, method: str, operation: Mapping[str, Any]) -> Operation:
        body = self._body(operation.get("requestBody", {}))
        parameters = tuple(self._parameter(one) for one in operation.get("parameters", ()))
        return Operation(
            anchor=operation.get("operationId", f"{method} {path}"),
            method=method,
            path=path,
            summary=operation.get("summary") or path,
            description=operation.get("description", ""),
            parameters=parameters,
            body=body,
            curl=self._curl(method, path, parameters, body),
            answers=tuple(self._answer(status, one) for status, one in sorted(operation["responses"].items())),
        )

    def _parameter(self, parameter: Mapping[str, Any]) -> Parameter:
        field = self._schemas.field(
            parameter["name"],
            parameter.get("schema", {}),
            required=parameter.get("required", False),
            description=parameter.get("description", ""),
        )
        return Parameter(parameter["in"], field)

    def _answer(self, status: str, answer: Mapping[str, Any]) -> Answer:
        description = answer.get("description", "")
        if status.isdecimal() and description in ("", _UNSAID):
            description = HTTPStatus(int(status)).phrase
        return Answer(status, description, self._body(answer))

    def _body(self, holder: Mapping[str, Any]) -> Body | None:
        """The body of a request or an answer; a problem where it may be one, JSON before anything else."""
        content = holder.get("content", {})
        if not content:
            return None
        media_type = next((one for one in (problems.MEDIA_TYPE, _JSON) if one in content), next(iter(content)))
        schema = content[media_type].get("schema", {})
        return Body(
            media_type=media_type,
            kind=self._schemas.kind(schema) if media_type in (_JSON, problems.MEDIA_TYPE) else "bytes",
            objects=self._schemas.objects(schema),
            example=_example(content[media_type], self._schemas.examples(schema)),
        )

    def _curl(self, method: str, path: str, parameters: tuple[Parameter, ...], body: Body | None) -> str:
        """A command to try. What its user has to fill in stands in capitals."""
        server = (self._openapi.get("servers") or [{}])[0].get("url", _DEFAULT_SERVER).rstrip("/")
        url = server + re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
        asked = [one.field.name for one in parameters if one.place == "query" and one.field.required]
        if asked:
            url += "?" + "&".join(f"{name}={name.upper()}" for name in asked)
        parts = ["curl " + ("" if method == "GET" else f"-X {method} ") + shlex.quote(url)]
        if body is not None:
            parts.append(f"-H 'content-type: {body.media_type}'")
            data = body.example or "@BODY.json"
            parts.append(f"-d {shlex.quote(data)}" if body.media_type == _JSON else "--data-binary @FILE")
        return " \\\n  ".join(parts)


def _example(media: Mapping[str, Any], of_schema: list[Any]) -> str:
    """The first example there is, as JSON; empty where there is none."""
    named = [one["value"] for one in media.get("examples", {}).values() if "value" in one]
    found = [*([media["example"]] if "example" in media else ()), *named, *of_schema]
    return json.dumps(found[0], indent=2, ensure_ascii=False) if found else ""
