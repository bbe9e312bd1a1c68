"""``JobCreate`` -> ``Job``: fills in what the job left to its type, checks what only type and providers know.

It asks the published job types for schemas and defaults, and the provider registry for each channel's options. It
knows no job type and no channel by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextvars import ContextVar
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import orjson
from jsonschema_rs import ValidationError, Validator, validator_for
from uuid_utils.compat import uuid7

from perdure.core.notifications.providers.registry import Channels
from perdure.errors import FieldProblem, UnknownJobType, ValidationFailed
from perdure.models.job import Job
from perdure.models.retry import RetryPolicy
from perdure.schemas.job import JobCreate, JobEdits, RetryShape

DEFAULT_QUEUE = "default"
NO_ID = UUID(int=0)
FILE_ID_FORMAT = "file-id"
"""The JSON Schema format by which a job type says that a string must name a stored file."""

_known_files: ContextVar[AbstractSet[str]] = ContextVar("known_files", default=frozenset())
"""The files that the payload under validation may name: validators are shared, and their formats know nothing else."""


class PublishedType(Protocol):
    """A row of ``job_types``, as far as submission needs it."""

    def __getitem__(self, column: str, /) -> Any: ...


class ReadyType:
    """A published type as jobs are checked against it, its schema made ready."""

    __slots__ = ("is_limited", "max_retries", "retry", "timeout_seconds", "validator")

    def __init__(self, published: PublishedType) -> None:
        schema = orjson.dumps(published["payload_schema"], option=orjson.OPT_SORT_KEYS).decode()
        self.validator = _validator(schema)
        self.max_retries: int = published["max_retries"]
        self.timeout_seconds: float = published["timeout_seconds"]
        self.retry = RetryPolicy(published["retry_base_seconds"], published["retry_max_seconds"])
        self.is_limited: bool = published["max_concurrent"] is not None


class JobFactory:
    """Makes jobs from what was sent."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    def create(
        self,
        sent: JobCreate,
        job_type: ReadyType | None,
        now: datetime,
        files: AbstractSet[UUID] = frozenset(),
        job_id: UUID | None = None,
    ) -> Job:
        """The job that ``sent`` declares; raises ``UnknownJobType``, or ``ValidationFailed`` with all that is wrong.

        ``files`` are those of the payload's strings that name stored files; ``job_id`` is its id, where that was given
        out already.
        """
        if job_type is None:
            raise UnknownJobType(
                "No worker has published this job_type. Start a worker that has it, or look at GET /v1/job-types."
            )
        payload = {} if sent.payload is None else sent.payload
        problems = _payload_problems(payload, job_type.validator, files) + self._problems(sent, now)
        if problems:
            raise ValidationFailed(problems)
        return _job(sent, job_type, now, job_id or uuid7(), payload, names_files=bool(files))

    def pattern(self, sent: JobCreate, job_type: ReadyType, now: datetime) -> Job:
        """What jobs that differ from ``sent`` in their payload have in common; raises ``ValidationFailed``."""
        if problems := self._problems(sent, now):
            raise ValidationFailed(problems)
        return _job(sent, job_type, now, NO_ID, {}, names_files=False)

    def _problems(self, sent: JobCreate, now: datetime) -> list[FieldProblem]:
        """All but those of the payload."""
        problems = [] if sent.expires_at is None else _time_problems(sent.expires_at, _due(sent, now), now)
        return problems + self._channels.validate_declaration(sent.notifications) if sent.notifications else problems


def _job(sent: JobCreate, job_type: ReadyType, now: datetime, job_id: UUID, payload: Any, *, names_files: bool) -> Job:
    return Job.submit(
        job_id=job_id,
        now=now,
        run_at=_due(sent, now),
        job_type=sent.job_type,
        payload=payload,
        queue=sent.queue or DEFAULT_QUEUE,
        priority=sent.priority or 0,
        max_attempts=_or(sent.max_retries, job_type.max_retries) + 1,
        timeout_seconds=_or(sent.timeout_seconds, job_type.timeout_seconds),
        retry=job_type.retry if sent.retry is None else RetryPolicy(**dict(sent.retry)),
        names_files=names_files,
        expires_at=sent.expires_at,
        concurrency_key=sent.concurrency_key,
        is_limited=sent.concurrency_key is not None or job_type.is_limited,
        tags=tuple(dict.fromkeys(sent.tags or ())),
        unique_key=sent.unique_key,
        context=sent.context,
        notifications=sent.notifications,
    )


def edited(original: Job, edits: JobEdits) -> JobCreate:
    """What to send for a job like ``original`` with these edits.

    What it had from its type it keeps, as its type was then; but for the times when it was to begin, which are past.
    """
    kept = {
        "job_type": original.job_type,
        "payload": original.payload,
        "queue": original.queue,
        "priority": original.priority,
        "max_retries": original.max_attempts - 1,
        "timeout_seconds": original.timeout_seconds,
        "retry": RetryShape.model_construct(**asdict(original.retry)),
        "tags": list(original.tags),
        "unique_key": original.unique_key,
        "concurrency_key": original.concurrency_key,
        "context": original.context,
        "notifications": original.notifications,
    }
    return JobCreate.model_construct(**kept | edits.given)


def _or(sent: Any, default: Any) -> Any:
    return default if sent is None else sent


def _due(sent: JobCreate, now: datetime) -> datetime | None:
    if sent.delay_seconds is not None:
        return now + timedelta(seconds=sent.delay_seconds)
    return sent.run_at


def _time_problems(expires_at: datetime, due: datetime | None, now: datetime) -> list[FieldProblem]:
    """A job that expires before it is due could never run."""
    if expires_at > max(now, due or now):
        return []
    message = "lies before the job could start; leave it out, or name a moment after now and after run_at"
    return [FieldProblem("expires_at", message, "expires_before_start")]


def _payload_problems(payload: Any, validator: Validator, files: AbstractSet[UUID]) -> list[FieldProblem]:
    """What the job type's JSON Schema has against the payload, without repeating any value of it."""
    if not files:
        return [_problem(error) for error in validator.iter_errors(payload)]
    known = _known_files.set({str(file_id) for file_id in files})
    try:
        return [_problem(error) for error in validator.iter_errors(payload)]
    finally:
        _known_files.reset(known)


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Validator:
    """Building one takes a millisecond, using it half a microsecond. Masked: its messages do not show the value."""
    return validator_for(schema, mask="the value", keywords={"format": _Format})


class _Format:
    """The schema's ``format``: checked for file ids, and for nothing else a remark, as JSON Schema has it."""

    def __init__(self, _schema: dict[str, Any], name: Any, _path: list[str | int]) -> None:
        self._is_file_id = name == FILE_ID_FORMAT

    def validate(self, value: Any) -> None:
        if self._is_file_id and isinstance(value, str) and value not in _known_files.get():
            raise ValueError("There is no file with this id. Upload it with POST /v1/files, and name its file_id here.")


def _problem(error: ValidationError) -> FieldProblem:
    missing = next((one for one in _innermost(error) if one.kind.name == "format"), None)
    if missing is not None:
        return FieldProblem(field=f"payload{_path(missing)}", message=missing.message, code="no_such_file")
    return FieldProblem(field=f"payload{_path(error)}", message=error.message, code=_rule(error))


def _innermost(error: ValidationError) -> Iterator[ValidationError]:
    """The error itself, or what made each alternative of an ``anyOf`` or ``oneOf`` fail."""
    alternatives = getattr(error.kind, "context", None)
    if alternatives is None:
        yield error
        return
    for alternative in alternatives:
        for one in alternative:
            yield from _innermost(one)


def _path(error: ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)


def _rule(error: ValidationError) -> str:
    return str(error.schema_path[-1]) if error.schema_path else "schema"
