"""``JobCreate`` -> ``Job``: fills in what the job left to its type, checks what only type and providers know.

It asks the published job types for schemas and defaults, and the provider registry for each channel's options. It
knows no job type and no channel by name.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

import orjson
from jsonschema_rs import ValidationError, Validator, validator_for
from uuid_utils.compat import uuid7

from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.errors import FieldProblem, UnknownJobType, ValidationFailed
from perdure.models.job import Job
from perdure.models.retry import RetryPolicy
from perdure.schemas.job import JobCreate

DEFAULT_QUEUE = "default"


class PublishedType(Protocol):
    """A row of ``job_types``, as far as submission needs it."""

    def __getitem__(self, column: str, /) -> Any: ...


class JobFactory:
    """Makes jobs from what was sent."""

    def __init__(self, providers: ProviderRegistry) -> None:
        self._providers = providers

    def create(self, sent: JobCreate, job_type: PublishedType | None, now: datetime) -> Job:
        """The job that ``sent`` declares; raises ``UnknownJobType``, or ``ValidationFailed`` with all that is wrong."""
        if job_type is None:
            raise UnknownJobType(
                "No worker has published this job_type. Start a worker that has it, or look at GET /v1/job-types."
            )
        payload = {} if sent.payload is None else sent.payload
        problems = [
            *_payload_problems(payload, job_type),
            *self._providers.validate_declaration(sent.notifications or {}),
        ]
        if problems:
            raise ValidationFailed(problems)
        return Job.submit(
            job_id=uuid7(),
            now=now,
            run_at=_due(sent, now),
            job_type=sent.job_type,
            payload=payload,
            queue=sent.queue or DEFAULT_QUEUE,
            priority=sent.priority or 0,
            max_attempts=_or(sent.max_retries, job_type["max_retries"]) + 1,
            timeout_seconds=_or(sent.timeout_seconds, job_type["timeout_seconds"]),
            retry=_retry(sent, job_type),
            tags=tuple(dict.fromkeys(sent.tags or ())),
            context=sent.context,
            notifications=sent.notifications,
        )


def _or(sent: Any, default: Any) -> Any:
    return default if sent is None else sent


def _retry(sent: JobCreate, job_type: PublishedType) -> RetryPolicy:
    if sent.retry is None:
        return RetryPolicy(job_type["retry_base_seconds"], job_type["retry_max_seconds"])
    return RetryPolicy(sent.retry.base_seconds, sent.retry.max_seconds)


def _due(sent: JobCreate, now: datetime) -> datetime | None:
    if sent.delay_seconds is not None:
        return now + timedelta(seconds=sent.delay_seconds)
    return sent.run_at


def _payload_problems(payload: Any, job_type: PublishedType) -> list[FieldProblem]:
    """What the job type's JSON Schema has against the payload, without repeating any value of it."""
    validator = _validator(orjson.dumps(job_type["payload_schema"], option=orjson.OPT_SORT_KEYS).decode())
    return [
        FieldProblem(field=f"payload{_path(error)}", message=error.message, code=_rule(error))
        for error in validator.iter_errors(payload)
    ]


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Validator:
    """Building one takes a millisecond, using it a microsecond. Masked: its messages do not show the value."""
    return validator_for(schema, mask="the value")


def _path(error: ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)


def _rule(error: ValidationError) -> str:
    return str(error.schema_path[-1]) if error.schema_path else "schema"
