"""The suppression list over HTTP: parse, call, answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from perdure.core.suppression_commands import SuppressionCommands
from perdure.models.api_key import Scope
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.routes.authentication import needs
from perdure.routes.dependencies import Actor, Reading, documents_body, json_body
from perdure.routes.paging import DEFAULT_LIMIT, Cursor, Limit, page_of, read_cursor
from perdure.routes.problems import responses
from perdure.schemas import base
from perdure.schemas.addresses import EmailAddress
from perdure.schemas.suppression import SuppressionAnswer, SuppressionList, SuppressionsAdd, SuppressionsAdded

router = APIRouter(prefix="/v1/suppressions", tags=["deliveries"])


def _commands(request: Request) -> SuppressionCommands:
    return request.app.state.suppression_commands  # type: ignore[no-any-return]


SuppressionCommandsPart = Annotated[SuppressionCommands, Depends(_commands)]


class SuppressionListQuery(base.Request):
    address: EmailAddress | None = Field(None, description="only this one")
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


class RemoveQuery(base.Request):
    address: EmailAddress = Field(description="the one to take off the list")


@router.get(
    "",
    dependencies=[needs(Scope.READ)],
    summary="List suppressed addresses, newest first",
    responses=responses(422, 503),
)
async def suppressions(connection: Reading, query: Annotated[SuppressionListQuery, Query()]) -> SuppressionList:
    """To whom nothing is sent, and why: a delivery to them ends as `SUPPRESSED`."""
    before = read_cursor(query.cursor)
    found = await SuppressionRepository(connection).newest(query.address, before, query.limit + 1)
    page, next_cursor = page_of(found, query.limit, lambda row: row["suppression_id"])
    return SuppressionList(items=[SuppressionAnswer.model_validate(dict(one)) for one in page], next_cursor=next_cursor)


@router.post(
    "",
    dependencies=[needs(Scope.OPERATE)],
    summary="Suppress addresses",
    openapi_extra=documents_body(SuppressionsAdd),
    responses=responses(413, 415, 422, 503),
)
async def add(
    sent: Annotated[SuppressionsAdd, Depends(json_body(SuppressionsAdd))],
    commands: SuppressionCommandsPart,
    actor: Actor,
) -> SuppressionsAdded:
    """Nothing is sent to them from now on. One that is listed already stays as it is."""
    added, known = await commands.add(sent.addresses, sent.reason, sent.note, actor)
    return SuppressionsAdded(added=added, known=known)


@router.delete(
    "",
    dependencies=[needs(Scope.OPERATE)],
    status_code=204,
    summary="Take an address off the suppression list",
    responses=responses(404, 422, 503),
)
async def remove(query: Annotated[RemoveQuery, Query()], commands: SuppressionCommandsPart) -> None:
    """It is told again from now on; what was suppressed can be sent again, one by one."""
    await commands.remove(query.address)
