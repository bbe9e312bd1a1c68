"""What routes ask for: the platform's parts, and the body under the strict decoder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.bulk import BulkSubmission
from perdure.core.commands import Commands
from perdure.core.delivery_commands import DeliveryCommands
from perdure.core.endpoint_commands import EndpointCommands
from perdure.core.file_commands import FileCommands
from perdure.core.job_actions import JobActions
from perdure.core.measuring import Measuring
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.provider_commands import ProviderCommands
from perdure.core.queue_commands import QueueCommands
from perdure.core.schedule_commands import ScheduleCommands
from perdure.core.subscription_commands import SubscriptionCommands
from perdure.core.waiting import FinishedJobs
from perdure.db.session import Database
from perdure.errors import BodyTooLarge, FieldProblem, UnsupportedMediaType, ValidationFailed
from perdure.models.api_key import ApiKey
from perdure.models.submission import IdempotencyKey
from perdure.schemas.reading import read_json
from perdure.telemetry.metrics import Metrics

LOCAL = "local"
"""Who acts where no API key is asked for."""

Model = TypeVar("Model", bound=BaseModel)


def _commands(request: Request) -> Commands:
    return request.app.state.commands  # type: ignore[no-any-return]


def _delivery_commands(request: Request) -> DeliveryCommands:
    return request.app.state.delivery_commands  # type: ignore[no-any-return]


def _bulk(request: Request) -> BulkSubmission:
    return request.app.state.bulk  # type: ignore[no-any-return]


def _database(request: Request) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


def _finished_jobs(request: Request) -> FinishedJobs:
    return request.app.state.finished_jobs  # type: ignore[no-any-return]


def _file_commands(request: Request) -> FileCommands:
    return request.app.state.file_commands  # type: ignore[no-any-return]


def _job_actions(request: Request) -> JobActions:
    return request.app.state.job_actions  # type: ignore[no-any-return]


def _provider_commands(request: Request) -> ProviderCommands:
    return request.app.state.provider_commands  # type: ignore[no-any-return]


def _queue_commands(request: Request) -> QueueCommands:
    return request.app.state.queue_commands  # type: ignore[no-any-return]


def _schedule_commands(request: Request) -> ScheduleCommands:
    return request.app.state.schedule_commands  # type: ignore[no-any-return]


def _subscription_commands(request: Request) -> SubscriptionCommands:
    return request.app.state.subscription_commands  # type: ignore[no-any-return]


def _endpoint_commands(request: Request) -> EndpointCommands:
    return request.app.state.endpoint_commands  # type: ignore[no-any-return]


def _renderer(request: Request) -> MessageRenderer:
    return request.app.state.renderer  # type: ignore[no-any-return]


def _measuring(request: Request) -> Measuring:
    return request.app.state.measuring  # type: ignore[no-any-return]


def _metrics(request: Request) -> Metrics:
    return request.app.state.metrics  # type: ignore[no-any-return]


def _api_key(request: Request) -> ApiKey | None:
    return request.state.api_key  # type: ignore[no-any-return]


def _actor(request: Request) -> str:
    key = _api_key(request)
    return LOCAL if key is None else key.name


BulkPart = Annotated[BulkSubmission, Depends(_bulk)]
CommandsPart = Annotated[Commands, Depends(_commands)]
DeliveryCommandsPart = Annotated[DeliveryCommands, Depends(_delivery_commands)]
DatabasePart = Annotated[Database, Depends(_database)]
FinishedJobsPart = Annotated[FinishedJobs, Depends(_finished_jobs)]
FileCommandsPart = Annotated[FileCommands, Depends(_file_commands)]
JobActionsPart = Annotated[JobActions, Depends(_job_actions)]
ProviderCommandsPart = Annotated[ProviderCommands, Depends(_provider_commands)]
QueueCommandsPart = Annotated[QueueCommands, Depends(_queue_commands)]
ScheduleCommandsPart = Annotated[ScheduleCommands, Depends(_schedule_commands)]
SubscriptionCommandsPart = Annotated[SubscriptionCommands, Depends(_subscription_commands)]
EndpointCommandsPart = Annotated[EndpointCommands, Depends(_endpoint_commands)]
RendererPart = Annotated[MessageRenderer, Depends(_renderer)]
MetricsPart = Annotated[Metrics, Depends(_metrics)]
MeasuringPart = Annotated[Measuring, Depends(_measuring)]
Caller = Annotated[ApiKey | None, Depends(_api_key)]
"""The API key that a request brought to a route that ``needs`` one; None where no keys are asked for."""
Actor = Annotated[str, Depends(_actor)]
"""Who asks, as it is put on record: the name of that key, or ``LOCAL``."""


async def _reading(database: DatabasePart) -> AsyncIterator[AsyncConnection]:
    async with database.snapshot() as connection:
        yield connection


Reading = Annotated[AsyncConnection, Depends(_reading, scope="function")]
"""A connection to read from, given back before the answer is sent."""


def json_body(model: type[Model], *, required: bool = True) -> Callable[[Request], Awaitable[Model]]:
    """The body as ``model``: JSON by its media type, of bounded size, strictly decoded, its wrong fields named.

    Where it is not ``required``, none at all is as good as ``{}``.
    """

    async def read(request: Request) -> Model:
        if not required and not _has_body(request):
            return model.model_validate({})
        media_type = media_type_of(request)
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMediaType("Send the body as JSON, with the header `Content-Type: application/json`.")
        return read_json(model, await limited_body(request, request.app.state.max_body_bytes))

    return read


IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7E]+$",
        description="of your making, a new one for each request: the same one again, within 24 hours, is answered as "
        "it was then, and nothing is done twice",
    ),
]


def idempotency_key_of(caller: ApiKey | None, key: str) -> IdempotencyKey:
    return IdempotencyKey("" if caller is None else caller.key_id, key)


def takes_no_idempotency_key(
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", include_in_schema=False)] = None,
) -> None:
    """Refuses the header on routes that do not keep it: ignored, it would let a client believe it may repeat itself."""
    if idempotency_key is not None:
        raise ValidationFailed(
            [
                FieldProblem(
                    "Idempotency-Key",
                    "is for POST /v1/jobs and for resending a delivery alone; leave it out",
                    "not_supported",
                )
            ]
        )


def media_type_of(request: Request) -> str:
    """What the body is said to be, without parameters; raises ``UnsupportedMediaType`` for one that is compressed."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body is compressed. Send it as it is, without the header `Content-Encoding`.")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def limited_body(request: Request, limit: int) -> bytes:
    """The body as it came; raises ``BodyTooLarge`` as soon as it has more than ``limit`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise body_too_large(limit)
    return bytes(body)


def body_too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body has more than {limit:,} bytes. Upload large data with POST /v1/files and name it in the payload by "
        "its file_id."
    )


def documents_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI request body of a route that reads it with ``json_body``; ``app`` gathers the definitions."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}
