"""Cron schedules over HTTP: parse, call, answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from perdure.core.schedule_commands import Outlook
from perdure.models.api_key import Scope
from perdure.routes.authentication import needs
from perdure.routes.dependencies import ScheduleCommandsPart, documents_body, json_body
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.job import Name
from perdure.schemas.schedule import ScheduleAnswer, ScheduleList, ScheduleSummary, ScheduleWrite

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])

ScheduleName = Annotated[Name, Path(description="the schedule's name")]


class SetQuery(Request):
    dry_run: bool = Field(False, description="true: answer what it would be, and store nothing")


@router.get("", dependencies=[needs(Scope.READ)], summary="List schedules", responses=responses(503))
async def schedules(commands: ScheduleCommandsPart) -> ScheduleList:
    """In order of name."""
    return ScheduleList(items=[ScheduleSummary.model_validate(one) for one in await commands.list()])


@router.get("/{name}", dependencies=[needs(Scope.READ)], summary="Get a schedule", responses=responses(404, 422, 503))
async def get(name: ScheduleName, commands: ScheduleCommandsPart) -> ScheduleAnswer:
    """With the times that come next, and what became of the latest."""
    return _answer(await commands.get(name))


@router.put(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    summary="Set a schedule",
    openapi_extra=documents_body(ScheduleWrite),
    responses={201: {"model": ScheduleAnswer}, **responses(413, 415, 422, 503)},
)
async def put(
    name: ScheduleName,
    sent: Annotated[ScheduleWrite, Depends(json_body(ScheduleWrite))],
    commands: ScheduleCommandsPart,
    response: Response,
    query: Annotated[SetQuery, Query()],
) -> ScheduleAnswer:
    """Makes it (201), or replaces the one of this name (200). The times that it owes stay owed if they are the same."""
    outlook = await commands.set(name, sent, dry_run=query.dry_run)
    if outlook.is_new and not query.dry_run:
        response.status_code = 201
        response.headers["Location"] = f"/v1/schedules/{name}"
    return _answer(outlook)


@router.delete(
    "/{name}",
    dependencies=[needs(Scope.OPERATE)],
    status_code=204,
    summary="Delete a schedule",
    responses=responses(404, 422, 503),
)
async def delete(name: ScheduleName, commands: ScheduleCommandsPart) -> None:
    """The jobs that it submitted stay."""
    await commands.delete(name)


def _answer(outlook: Outlook) -> ScheduleAnswer:
    around = {
        "description": outlook.description,
        "next_runs": outlook.next_runs,
        "last_runs": [dict(one) for one in outlook.last_runs],
    }
    return ScheduleAnswer.model_validate(asdict(outlook.schedule) | around)
