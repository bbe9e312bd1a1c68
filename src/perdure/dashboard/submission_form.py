"""A job as a form says it: the payload by its fields or as JSON, and the few options that people use.

What cannot be read is said at its field. All that can is judged by the submission itself, like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid4

from perdure.dashboard.parts import Form
from perdure.dashboard.schema_fields import Field, Kind, flat
from perdure.errors import FieldProblem, InvalidInput, ValidationFailed
from perdure.schemas import strict_json
from perdure.schemas.job import JobCreate
from perdure.schemas.reading import read_json

JSON_FIELD = "payload"
OPTIONS = ("queue", "priority", "run_at", "delay_seconds", "tags", "email", "on")
TOLD = {"SUCCESS FAILURE": "when it has ended", "FAILURE": "only if it fails", "SUCCESS": "only if it succeeds"}
"""When the mail is sent: the events, and how that is said."""
CHOSEN = "chosen:"
"""Before the name of a field, it is that of the files that were sent for it, without scripts: by then, their ids."""
_AT_FIELDS = {"context": "email", "notifications": "email"}
_NOT_GIVEN = object()
_MUST = "must be given"


@dataclass
class SubmissionForm:
    """What was typed, and what is wrong with it; ``problems`` by the name of the field, "" for what concerns none."""

    fields: Sequence[Field] | None
    is_json: bool
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    key: str = field(default_factory=lambda: str(uuid4()))
    """Names this one submission, so that a form that is sent twice makes one job."""
    problems: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def sent(cls, form: Form, fields: Sequence[Field] | None) -> SubmissionForm:
        texts: dict[str, list[str]] = {}
        for name, value in form.items():
            texts.setdefault(name, []).append(value)
        for one in flat(fields or ()):
            if stored := [value for value in texts.pop(f"{CHOSEN}{one.name}", ()) if value]:
                _take(texts, one, stored)
        made = cls(fields, fields is None or form.get("as") == "json", texts)
        if (key := _uuid(form.get("key"))) is not None:
            made.key = key
        return made

    def text(self, name: str) -> str:
        return next(iter(reversed(self.texts.get(name, ()))), "")

    def payload(self) -> Any:
        """What was typed, as far as it can be read; what is wrong is noted in ``problems``."""
        if self.is_json:
            return self._decoded(JSON_FIELD, self.text(JSON_FIELD).strip() or "{}")
        return self._object(self.fields or ())

    def read(self, job_type: str) -> JobCreate:
        """The job; raises ``InvalidInput``. Ask only where nothing is wrong with the payload."""
        said = {"job_type": job_type, "payload": self.payload()} | self._options()
        return read_json(JobCreate, json.dumps(said).encode())

    def refuse(self, error: InvalidInput) -> None:
        """Notes at each field what the submission has against it."""
        if not isinstance(error, ValidationFailed):
            self.problems.setdefault("", []).append(error.detail)
            return
        for one in error.problems:
            name, place = self._field_at(one)
            inside = one.field.removeprefix(place).lstrip(".")
            said = f"{inside}: {one.message}" if inside and place else one.message
            self.problems.setdefault(name, []).append(said if name else f"{one.field}: {one.message}")

    def _field_at(self, problem: FieldProblem) -> tuple[str, str]:
        """The field that a problem belongs to, and what that is called in problems."""
        top = problem.field.partition(".")[0].partition("[")[0]
        if top == JSON_FIELD:
            if self.is_json:
                return JSON_FIELD, JSON_FIELD
            return self._innermost(problem.field, self.fields or ())
        top = _AT_FIELDS.get(top, top)
        return (top, top if problem.field.startswith(top) else problem.field) if top in OPTIONS else ("", "")

    def _innermost(self, place: str, fields: Sequence[Field]) -> tuple[str, str]:
        for one in fields:
            if place == one.place or place.startswith((f"{one.place}.", f"{one.place}[")):
                inner = self._innermost(place, one.fields)
                return inner if inner[0] else (one.name, one.place)
        return "", ""

    def _options(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "queue": self.text("queue").strip() or None,
            "priority": _number_or_text(self.text("priority")),
            "run_at": _in_utc(self.text("run_at").strip()),
            "delay_seconds": _number_or_text(self.text("delay_seconds")),
            "tags": self.text("tags").replace(",", " ").split() or None,
        }
        if email := self.text("email").strip():
            on = self.text("on") if self.text("on") in TOLD else next(iter(TOLD))
            said["context"] = {"email": email}
            said["notifications"] = {"email": {"enabled": True, "on": on.split()}}
        return {name: value for name, value in said.items() if value is not None}

    def _object(self, fields: Sequence[Field]) -> dict[str, Any]:
        read = {one.label: self._value(one) for one in fields}
        return {name: value for name, value in read.items() if value is not _NOT_GIVEN}

    def _value(self, one: Field) -> Any:
        if one.kind is Kind.GROUP:
            is_given = one.is_required or any(self.text(inner.name).strip() for inner in one.fields)
            return self._object(one.fields) if is_given else _NOT_GIVEN
        if one.kind is Kind.LIST:
            return self._list(one)
        text = self.text(one.name).replace("\r\n", "\n")
        if not text.strip():
            if one.is_required:
                self._wrong(one.name, _MUST)
            return _NOT_GIVEN
        return self._scalar(one, one.kind, text)

    def _list(self, one: Field) -> Any:
        if one.items is Kind.CHOICE:
            typed = self.texts.get(one.name, ())
        else:
            typed = [line for line in self.text(one.name).splitlines() if line.strip()]
        if not typed and not one.is_required:
            return _NOT_GIVEN
        return [self._scalar(one, one.items or Kind.TEXT, text) for text in typed]

    def _scalar(self, one: Field, kind: Kind, text: str) -> Any:
        if kind is Kind.TEXT:
            return text
        if kind is Kind.FILE:
            return text.strip()
        value = self._decoded(one.name, text.strip())
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind in (Kind.NUMBER, Kind.INTEGER) and not is_number:
            self._wrong(one.name, "must be a number, such as 12 or 0.5")
        return value

    def _decoded(self, name: str, text: str) -> Any:
        try:
            return strict_json.decode(text.encode())
        except InvalidInput as error:
            self._wrong(name, error.detail.replace("The body", "It"))
            return None

    def _wrong(self, name: str, said: str) -> None:
        if not self.problems.get(name):
            self.problems[name] = [said]


def _take(texts: dict[str, list[str]], one: Field, stored: Sequence[str]) -> None:
    """Writes into a field the files that were sent for it: into a list, after those that it names already."""
    typed = texts.get(one.name, [""])[-1].strip() if one.kind is Kind.LIST else ""
    texts[one.name] = ["\n".join([*filter(None, [typed]), *stored])]


def _number_or_text(text: str) -> Any:
    """What is no number is left for the schema to refuse."""
    text = text.strip()
    if not text:
        return None
    try:
        return strict_json.decode(text.encode())
    except InvalidInput:
        return text


def _in_utc(text: str) -> str | None:
    """What a field for times sends says no zone: it is asked for in UTC."""
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if read.tzinfo else read.replace(tzinfo=UTC).isoformat()


def _uuid(text: str | None) -> str | None:
    try:
        return str(UUID(text or ""))
    except ValueError:
        return None
