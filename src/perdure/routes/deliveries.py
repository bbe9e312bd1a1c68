"""The audit of notifications over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from perdure.errors import NotFound
from perdure.models.api_key import Scope
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.routes.authentication import needs
from perdure.routes.dependencies import (
    Actor,
    Caller,
    DeliveryCommandsPart,
    IdempotencyKeyHeader,
    Reading,
    documents_body,
    idempotency_key_of,
    json_body,
    takes_no_idempotency_key,
)
from perdure.routes.paging import DEFAULT_LIMIT, Cursor, Limit, page_of, read_cursor, write_cursor
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.delivery import DeliveryAnswer, DeliveryDetail, DeliveryList, TryAnswer
from perdure.schemas.delivery_filter import DeliveryFilterShape, DeliveryResend, ResentAnswer
from perdure.schemas.feedback import FeedbackAnswer

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


class DeliveryListQuery(DeliveryFilterShape):
    """Filters and paging of the list; unknown parameters are refused."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


@router.get(
    "", dependencies=[needs(Scope.READ)], summary="List deliveries, newest first", responses=responses(422, 503)
)
async def list_deliveries(connection: Reading, query: Annotated[DeliveryListQuery, Query()]) -> DeliveryList:
    """Every telling there was, or why there was none: those that match all filters. Follow `next_cursor` for more."""
    wanted = DeliveryFilter.read(query)
    found = await DeliveryQueries(connection).newest(wanted, read_cursor(query.cursor), query.limit + 1)
    deliveries, next_cursor = page_of(found, query.limit, lambda delivery: delivery.delivery_id)
    return DeliveryList(items=[DeliveryAnswer.model_validate(one) for one in deliveries], next_cursor=next_cursor)


@router.get(
    "/{delivery_id}",
    dependencies=[needs(Scope.READ)],
    summary="Get a delivery with its tries and feedback",
    responses=responses(404, 422, 503),
)
async def get(delivery_id: UUID, connection: Reading) -> DeliveryDetail:
    """`explanation` says in one line why it stands so; `tries` has each call of the provider."""
    queries = DeliveryQueries(connection)
    delivery = await queries.get(delivery_id)
    if delivery is None:
        raise NotFound("There is no delivery with this id.")
    tries = [TryAnswer.model_validate(dict(row)) for row in await queries.tries(delivery_id)]
    said = await FeedbackRepository(connection).of_delivery(delivery_id)
    feedback = [FeedbackAnswer.model_validate(dict(row)) for row in said]
    return DeliveryDetail(**DeliveryAnswer.model_validate(delivery).model_dump(), tries=tries, feedback=feedback)


class ResendQuery(Request):
    dry_run: bool = Field(False, description="only count what it would do")
    cursor: Cursor = None


@router.post(
    "/resend",
    dependencies=[needs(Scope.OPERATE), Depends(takes_no_idempotency_key)],
    summary="Send all that match again",
    openapi_extra=documents_body(DeliveryResend),
    responses=responses(413, 415, 422, 503),
)
async def resend_all(
    sent: Annotated[DeliveryResend, Depends(json_body(DeliveryResend))],
    commands: DeliveryCommandsPart,
    actor: Actor,
    query: Annotated[ResendQuery, Query()],
) -> ResentAnswer:
    """A batch of up to 500, newest first; follow `next_cursor` for more. What was sent again already is left as it is.

    So it may be asked again, and nobody is told twice by it.
    """
    wanted = DeliveryFilter.read(sent.filter)
    batch = await commands.resend_all(wanted, read_cursor(query.cursor), actor, dry_run=query.dry_run)
    next_cursor = None if batch.rest is None else write_cursor(batch.rest)
    return ResentAnswer(matched=batch.matched, resent=batch.resent, next_cursor=next_cursor)


@router.post(
    "/{delivery_id}/resend",
    dependencies=[needs(Scope.OPERATE)],
    status_code=201,
    summary="Send a finished delivery again",
    responses={
        200: {"model": DeliveryAnswer, "description": "The delivery of the first time"},
        **responses(404, 409, 422, 503),
    },
)
async def resend(
    delivery_id: UUID,
    commands: DeliveryCommandsPart,
    actor: Actor,
    caller: Caller,
    response: Response,
    idempotency_key: IdempotencyKeyHeader = None,
) -> DeliveryAnswer:
    """A further delivery of the same content to the same recipient; `resend_of` names the first of its chain.

    Settings, suppression list and allow-list are asked anew. Where nobody was to be told, there is none: 409.
    With an `Idempotency-Key` it may be asked again: it is one further delivery, answered with 200 and
    `Idempotent-Replayed: true`.
    """
    if idempotency_key is None:
        again = await commands.resend(delivery_id, actor)
    else:
        key = idempotency_key_of(caller, idempotency_key)
        again, is_replay = await commands.resend_once(delivery_id, actor, key)
        if is_replay:
            response.status_code = 200
            response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/v1/deliveries/{again.delivery_id}"
    return DeliveryAnswer.model_validate(again)


@router.post(
    "/{delivery_id}/cancel",
    dependencies=[needs(Scope.OPERATE)],
    summary="Call off a delivery that waits",
    responses=responses(404, 409, 422, 503),
)
async def cancel(delivery_id: UUID, commands: DeliveryCommandsPart, actor: Actor) -> DeliveryAnswer:
    """It is not sent any more. One that is being sent just now, or has ended, is left as it is: 409."""
    return DeliveryAnswer.model_validate(await commands.cancel(delivery_id, actor))
