"""The audit of notifications over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from perdure.errors import NotFound
from perdure.models.api_key import Scope
from perdure.models.delivery import DeliveryStatus
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.routes.authentication import needs
from perdure.routes.dependencies import CommandsPart, Reading
from perdure.routes.paging import DEFAULT_LIMIT, Cursor, Limit, page_of, read_cursor
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.delivery import DeliveryAnswer, DeliveryDetail, DeliveryList, TryAnswer
from perdure.schemas.feedback import FeedbackAnswer

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])


class DeliveryListQuery(Request):
    status: list[DeliveryStatus] = Field([], description="any of these")
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


@router.get(
    "", dependencies=[needs(Scope.READ)], summary="List deliveries, newest first", responses=responses(422, 503)
)
async def list_deliveries(connection: Reading, query: Annotated[DeliveryListQuery, Query()]) -> DeliveryList:
    """Every telling there was, or why there was none."""
    found = await DeliveryQueries(connection).newest(query.status, read_cursor(query.cursor), query.limit + 1)
    deliveries, next_cursor = page_of(found, query.limit, lambda delivery: delivery.delivery_id)
    return DeliveryList(items=[DeliveryAnswer.model_validate(one) for one in deliveries], next_cursor=next_cursor)


@router.get(
    "/{delivery_id}",
    dependencies=[needs(Scope.READ)],
    summary="Get a delivery with its tries and feedback",
    responses=responses(404, 422, 503),
)
async def get(delivery_id: UUID, connection: Reading) -> DeliveryDetail:
    queries = DeliveryQueries(connection)
    delivery = await queries.get(delivery_id)
    if delivery is None:
        raise NotFound("There is no delivery with this id.")
    tries = [TryAnswer.model_validate(dict(row)) for row in await queries.tries(delivery_id)]
    said = await FeedbackRepository(connection).of_delivery(delivery_id)
    feedback = [FeedbackAnswer.model_validate(dict(row)) for row in said]
    return DeliveryDetail(**DeliveryAnswer.model_validate(delivery).model_dump(), tries=tries, feedback=feedback)


@router.post(
    "/{delivery_id}/resend",
    dependencies=[needs(Scope.OPERATE)],
    status_code=201,
    summary="Send a finished delivery again",
    responses=responses(404, 409, 422, 503),
)
async def resend(delivery_id: UUID, commands: CommandsPart, response: Response) -> DeliveryAnswer:
    """A further delivery of the same content to the same recipient; `resend_of` names the first of its chain."""
    again = await commands.resend(delivery_id)
    response.headers["Location"] = f"/v1/deliveries/{again.delivery_id}"
    return DeliveryAnswer.model_validate(again)
