"""Actions on many jobs over HTTP: preview, start, follow, stop."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from perdure.errors import NotFound
from perdure.models.api_key import Scope
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.routes.authentication import needs
from perdure.routes.dependencies import (
    Actor,
    JobActionsPart,
    Reading,
    documents_body,
    json_body,
    takes_no_idempotency_key,
)
from perdure.routes.paging import DEFAULT_LIMIT, Cursor, Limit, page_of, read_cursor
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.job_action import JobActionAnswer, JobActionCreate, JobActionList, JobActionPreview

router = APIRouter(prefix="/v1/jobs/actions", tags=["actions"])


class JobActionQuery(Request):
    dry_run: bool = Field(False, description="only count what it would do (200), and do nothing")


class JobActionListQuery(Request):
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


@router.post(
    "",
    dependencies=[needs(Scope.OPERATE), Depends(takes_no_idempotency_key)],
    status_code=202,
    summary="Cancel or retry all jobs that match",
    openapi_extra=documents_body(JobActionCreate),
    responses={200: {"model": JobActionPreview}, 202: {"model": JobActionAnswer}, **responses(413, 415, 422, 503)},
    response_model=None,
)
async def start(
    actor: Actor,
    sent: Annotated[JobActionCreate, Depends(json_body(JobActionCreate))],
    actions: JobActionsPart,
    response: Response,
    query: Annotated[JobActionQuery, Query()],
) -> JobActionAnswer | JobActionPreview:
    """Acts, in batches, on every job that matches and was there when it was asked; follow it under `Location`."""
    if query.dry_run:
        response.status_code = 200
        return JobActionPreview.model_validate(await actions.preview(sent))
    action = await actions.start(sent, actor)
    response.headers["Location"] = f"/v1/jobs/actions/{action.action_id}"
    return JobActionAnswer.model_validate(action)


@router.get("", dependencies=[needs(Scope.READ)], summary="List actions, newest first", responses=responses(422, 503))
async def list_actions(connection: Reading, query: Annotated[JobActionListQuery, Query()]) -> JobActionList:
    """Who asked for what, and what became of it."""
    found = await JobActionRepository(connection).newest(read_cursor(query.cursor), query.limit + 1)
    actions, next_cursor = page_of(found, query.limit, lambda action: action.action_id)
    return JobActionList(items=[JobActionAnswer.model_validate(one) for one in actions], next_cursor=next_cursor)


@router.get(
    "/{action_id}", dependencies=[needs(Scope.READ)], summary="Get an action", responses=responses(404, 422, 503)
)
async def get(action_id: UUID, connection: Reading) -> JobActionAnswer:
    """How far it has come."""
    action = await JobActionRepository(connection).get(action_id)
    if action is None:
        raise NotFound("There is no action with this id.")
    return JobActionAnswer.model_validate(action)


@router.post(
    "/{action_id}/stop",
    dependencies=[needs(Scope.OPERATE)],
    summary="Stop an action",
    responses=responses(404, 409, 422, 503),
)
async def stop(action_id: UUID, actor: Actor, actions: JobActionsPart) -> JobActionAnswer:
    """It ends after the batch at hand; what is done stays done."""
    return JobActionAnswer.model_validate(await actions.stop(action_id, actor))
