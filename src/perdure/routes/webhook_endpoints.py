"""Named places to call over HTTP: where they are, their secrets, whether they are called."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from perdure.models.api_key import Scope
from perdure.models.webhook_endpoint import WebhookEndpoint
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Actor, EndpointCommandsPart, documents_body, json_body
from perdure.routes.problems import responses
from perdure.schemas.job import Name
from perdure.schemas.webhook_endpoint import (
    EndpointAnswer,
    EndpointList,
    EndpointTestAnswer,
    EndpointWithSecret,
    EndpointWrite,
    RecoverAnswer,
    RecoverRequest,
)

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook endpoints"])

EndpointName = Annotated[Name, Path(description="the endpoint's name, as jobs name it")]


@router.get("", dependencies=[needs(Scope.READ)], summary="List webhook endpoints", responses=responses(503))
async def endpoints(commands: EndpointCommandsPart) -> EndpointList:
    """In order of name."""
    return EndpointList(items=[EndpointAnswer.model_validate(one) for one in await commands.list()])


@router.get(
    "/{name}", dependencies=[needs(Scope.READ)], summary="Get a webhook endpoint", responses=responses(404, 422, 503)
)
async def get(name: EndpointName, commands: EndpointCommandsPart) -> EndpointAnswer:
    return EndpointAnswer.model_validate(await commands.get(name))


@router.put(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    summary="Set a webhook endpoint",
    openapi_extra=documents_body(EndpointWrite),
    responses={201: {"model": EndpointWithSecret}, **responses(413, 415, 422, 503)},
)
async def put(
    name: EndpointName,
    sent: Annotated[EndpointWrite, Depends(json_body(EndpointWrite))],
    actor: Actor,
    commands: EndpointCommandsPart,
    response: Response,
) -> EndpointWithSecret:
    """Makes it (201, with its secret), or gives the one of this name another URL (200); its secret stays."""
    endpoint, secret = await commands.set(name, sent.url, actor)
    if secret is not None:
        response.status_code = 201
        response.headers["Location"] = f"/v1/webhook-endpoints/{name}"
    return _with_secret(endpoint, secret)


@router.post(
    "/{name}/rotate",
    dependencies=[needs(Scope.OPERATE)],
    summary="Give a webhook endpoint a new secret",
    responses=responses(404, 422, 503),
)
async def rotate(name: EndpointName, actor: Actor, commands: EndpointCommandsPart) -> EndpointWithSecret:
    """The one before signs as well for 24 hours: each call carries both signatures."""
    return _with_secret(*await commands.rotate(name, actor))


@router.post(
    "/{name}/disable",
    dependencies=[needs(Scope.OPERATE)],
    summary="Disable a webhook endpoint",
    responses=responses(404, 422, 503),
)
async def disable(name: EndpointName, actor: Actor, commands: EndpointCommandsPart) -> EndpointAnswer:
    """What is to be told to it fails from its next try on. Again, it changes nothing."""
    return EndpointAnswer.model_validate(await commands.disable(name, actor))


@router.post(
    "/{name}/enable",
    dependencies=[needs(Scope.OPERATE)],
    summary="Enable a webhook endpoint",
    responses=responses(404, 422, 503),
)
async def enable(name: EndpointName, actor: Actor, commands: EndpointCommandsPart) -> EndpointAnswer:
    """It is called again. What failed meanwhile is sent again on request: `recover`."""
    return EndpointAnswer.model_validate(await commands.enable(name, actor))


@router.post(
    "/{name}/recover",
    dependencies=[needs(Scope.OPERATE)],
    summary="Send again what failed to reach a webhook endpoint",
    openapi_extra=documents_body(RecoverRequest),
    responses=responses(404, 409, 413, 415, 422, 503),
)
async def recover(
    name: EndpointName,
    sent: Annotated[RecoverRequest, Depends(json_body(RecoverRequest))],
    actor: Actor,
    commands: EndpointCommandsPart,
) -> RecoverAnswer:
    """Each as a further delivery; what was sent again already is not. 10,000 at most; 409 while it is disabled."""
    resent, is_complete = await commands.recover(name, sent.since, actor)
    return RecoverAnswer(resent=resent, is_complete=is_complete)


@router.post(
    "/{name}/test",
    dependencies=[needs(Scope.OPERATE)],
    summary="Call a webhook endpoint to see whether it answers",
    responses=responses(404, 409, 422, 503),
)
async def test(name: EndpointName, commands: EndpointCommandsPart) -> EndpointTestAnswer:
    """One signed call, as if a job of the type `endpoint.test` had succeeded; what came of it is the answer."""
    made = await commands.test(name)
    attempt = made.attempt
    return EndpointTestAnswer(
        webhook_id=made.webhook_id,
        arrived=made.arrived,
        verdict=attempt.verdict,
        status_code=attempt.status_code,
        error_type=attempt.error_type,
        message=attempt.message,
        response_excerpt=attempt.response_excerpt,
        duration_ms=round(made.seconds * 1000),
    )


@router.delete(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    status_code=204,
    summary="Remove a webhook endpoint",
    responses=responses(404, 422, 503),
)
async def remove(name: EndpointName, actor: Actor, commands: EndpointCommandsPart) -> None:
    """What is to be told to it fails from its next try on; what is on record stays."""
    await commands.remove(name, actor)


def _with_secret(endpoint: WebhookEndpoint, secret: str | None) -> EndpointWithSecret:
    return EndpointWithSecret(**EndpointAnswer.model_validate(endpoint).model_dump(), secret=secret)
