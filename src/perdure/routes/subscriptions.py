"""The operator's own channel over HTTP: who is told of which jobs, whatever these declare."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from perdure.models.api_key import Scope
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Actor, SubscriptionCommandsPart, documents_body, json_body
from perdure.routes.problems import responses
from perdure.schemas.job import Name
from perdure.schemas.subscription import SubscriptionAnswer, SubscriptionList, SubscriptionWrite

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

SubscriptionName = Annotated[Name, Path(description="the subscription's name")]


@router.get("", dependencies=[needs(Scope.READ)], summary="List subscriptions", responses=responses(503))
async def subscriptions(commands: SubscriptionCommandsPart) -> SubscriptionList:
    """In order of name."""
    return SubscriptionList(items=[SubscriptionAnswer.model_validate(one) for one in await commands.list()])


@router.get(
    "/{name}", dependencies=[needs(Scope.READ)], summary="Get a subscription", responses=responses(404, 422, 503)
)
async def get(name: SubscriptionName, commands: SubscriptionCommandsPart) -> SubscriptionAnswer:
    return SubscriptionAnswer.model_validate(await commands.get(name))


@router.put(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    summary="Set a subscription",
    openapi_extra=documents_body(SubscriptionWrite),
    responses={201: {"model": SubscriptionAnswer}, **responses(413, 415, 422, 503)},
)
async def put(
    name: SubscriptionName,
    sent: Annotated[SubscriptionWrite, Depends(json_body(SubscriptionWrite))],
    actor: Actor,
    commands: SubscriptionCommandsPart,
    response: Response,
) -> SubscriptionAnswer:
    """Makes it (201), or replaces the one of this name (200). It holds in every process within a second."""
    stored, is_new = await commands.set(name, sent, actor)
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"/v1/subscriptions/{name}"
    return SubscriptionAnswer.model_validate(stored)


@router.delete(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    status_code=204,
    summary="Delete a subscription",
    responses=responses(404, 422, 503),
)
async def delete(name: SubscriptionName, actor: Actor, commands: SubscriptionCommandsPart) -> None:
    """What it has caused to be told stays on record, and is still sent where it waits."""
    await commands.delete(name, actor)
