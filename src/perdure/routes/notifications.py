"""Messages, looked at before anybody is told."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.previewing import (
    MessagePreview,
    preview_of_delivery,
    preview_of_job,
    preview_of_sample,
)
from perdure.core.notifications.rendering import MessageRenderer
from perdure.errors import FieldProblem, NotFound, ValidationFailed
from perdure.models.api_key import Scope
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.job_queries import JobQueries
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Reading, RendererPart
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.message import MessageAnswer

router = APIRouter(prefix="/v1/notifications", tags=["deliveries"])

_MAIL_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; base-uri 'none'; form-action 'none'"
)
"""A mail is shown as a mail program would show it: it runs nothing, and nothing but pictures is fetched for it."""
_PARTS = "text/plain", "text/html"
"""What a part of the message, asked for by its format, is answered as."""


class PreviewFormat(StrEnum):
    JSON = "json"
    SUBJECT = "subject"
    TEXT = "text"
    HTML = "html"


class MessageQuery(Request):
    event: JobEvent | None = Field(None, description="SUCCESS if nothing says otherwise; that of a job by its state")
    job_type: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="of the sample job: a type may have templates of its own"
    )
    job_id: UUID | None = Field(None, description="a real job, as it stands")
    delivery_id: UUID | None = Field(None, description="what this delivery tells")
    format: PreviewFormat = Field(PreviewFormat.JSON, description="all of it as JSON, or one part as it is")


@router.get(
    "/preview",
    dependencies=[needs(Scope.READ)],
    summary="Preview a message",
    response_model=MessageAnswer,
    responses=responses(404, 409, 422, 503)
    | {200: {"content": {part: {"schema": {"type": "string"}} for part in _PARTS}}},
)
async def preview(connection: Reading, renderer: RendererPart, query: Annotated[MessageQuery, Query()]) -> Response:
    """What would be said of a sample job, a real one, or a delivery's. Nothing is sent or stored.

    It is made with this server's templates and public URL: give them to every process alike.
    """
    found = await _found(connection, renderer, query)
    match query.format:
        case PreviewFormat.SUBJECT:
            return PlainTextResponse(found.written.subject)
        case PreviewFormat.TEXT:
            return PlainTextResponse(found.written.text)
        case PreviewFormat.HTML:
            return HTMLResponse(found.written.html, headers={"Content-Security-Policy": _MAIL_POLICY})
        case PreviewFormat.JSON:
            return Response(_answer(found).model_dump_json(), media_type="application/json")


async def _found(connection: AsyncConnection, renderer: MessageRenderer, query: MessageQuery) -> MessagePreview:
    if query.delivery_id is not None:
        _refuse_others(query, "delivery_id", "event", "job_type", "job_id")
        delivery = await DeliveryQueries(connection).get(query.delivery_id)
        if delivery is None:
            raise NotFound("There is no delivery with this id.")
        return preview_of_delivery(renderer, delivery)
    if query.job_id is not None:
        _refuse_others(query, "job_id", "job_type")
        job = await JobQueries(connection).get(query.job_id)
        if job is None:
            raise NotFound("There is no job with this id.")
        return preview_of_job(renderer, job, query.event)
    return preview_of_sample(renderer, query.event, query.job_type)


def _refuse_others(query: MessageQuery, wanted: str, *others: str) -> None:
    """What cannot be heeded is refused, not ignored."""
    problems = [
        FieldProblem(name, f"says what {wanted} says already; leave it out", "not_supported")
        for name in others
        if getattr(query, name) is not None
    ]
    if problems:
        raise ValidationFailed(problems)


def _answer(found: MessagePreview) -> MessageAnswer:
    written = found.written
    return MessageAnswer(
        event=found.event.value,
        job_type=found.job_type,
        subject=written.subject,
        text=written.text,
        html=written.html,
        templates=dict(written.templates),
    )
