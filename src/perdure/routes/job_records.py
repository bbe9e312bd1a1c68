"""What is on record about one job: its timeline, notifications, files and log, and why it stands where it stands."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.explanation import explain
from perdure.errors import NotFound
from perdure.models.api_key import Scope
from perdure.models.job import Job
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.explanation_queries import ExplanationQueries
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_queries import JobQueries
from perdure.routes.authentication import needs
from perdure.routes.dependencies import DatabasePart, Reading
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.delivery import DeliveryAnswer, DeliveryList
from perdure.schemas.explanation import ExplanationAnswer
from perdure.schemas.file import FileAnswer, JobFileAnswer, JobFileList
from perdure.schemas.job import EventAnswer, EventList
from perdure.schemas.job_log import LogLineAnswer, LogLineList
from perdure.schemas.strict_json import MAX_SAFE_INTEGER

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class LogQuery(Request):
    """Paging of a log, from its beginning on."""

    after: Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)] = Field(0, description="only lines with a greater number")
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(200, description="how many a page")


@router.get(
    "/{job_id}/events", dependencies=[needs(Scope.READ)], summary="A job's timeline", responses=responses(404, 422, 503)
)
async def events(job_id: UUID, connection: Reading) -> EventList:
    """Everything that happened to the job, in order, over all its runs."""
    job = await found_job(connection, job_id)
    return EventList(items=[EventAnswer.model_validate(one) for one in await JobQueries(connection).timeline(job)])


@router.get(
    "/{job_id}/deliveries",
    dependencies=[needs(Scope.READ)],
    summary="A job's notifications",
    responses=responses(404, 422, 503),
)
async def deliveries(job_id: UUID, connection: Reading) -> DeliveryList:
    """Who was to be told, whether they were, and if not, why."""
    await found_job(connection, job_id)
    found = await DeliveryQueries(connection).of_job(job_id)
    return DeliveryList(items=[DeliveryAnswer.model_validate(one) for one in found], next_cursor=None)


@router.get(
    "/{job_id}/files", dependencies=[needs(Scope.READ)], summary="A job's files", responses=responses(404, 422, 503)
)
async def files(job_id: UUID, connection: Reading) -> JobFileList:
    """The files that its payload names, and those that it saved. One that was deleted is not among them."""
    await found_job(connection, job_id)
    found = await FileRepository(connection).of_job(job_id)
    return JobFileList(
        items=[JobFileAnswer(**FileAnswer.model_validate(file).model_dump(), role=role) for file, role in found]
    )


@router.get(
    "/{job_id}/log", dependencies=[needs(Scope.READ)], summary="A job's log", responses=responses(404, 422, 503)
)
async def log(job_id: UUID, connection: Reading, query: Annotated[LogQuery, Query()]) -> LogLineList:
    """What its processor said with `ctx.log`, in order, over all its attempts. To follow it, ask on after the last."""
    await found_job(connection, job_id)
    found = await JobLogRepository(connection).of_job(job_id, query.after, query.limit + 1)
    lines = found[: query.limit]
    return LogLineList(
        items=[LogLineAnswer.model_validate(line) for line in lines],
        next_cursor=str(lines[-1].line) if len(found) > query.limit else None,
    )


@router.get(
    "/{job_id}/explain",
    dependencies=[needs(Scope.READ)],
    summary="Why a job stands where it stands",
    responses=responses(404, 422, 503),
)
async def explain_job(job_id: UUID, connection: Reading, database: DatabasePart) -> ExplanationAnswer:
    """What it waits for, who runs it, or how it ended and who was told: as known now, the decisive reason first."""
    job = await found_job(connection, job_id)
    around = await ExplanationQueries(connection).around(job)
    return ExplanationAnswer.model_validate(explain(job, around, database.clock.now()))


async def found_job(connection: AsyncConnection, job_id: UUID) -> Job:
    job = await JobQueries(connection).get(job_id)
    if job is None:
        raise NotFound("There is no job with this id.")
    return job
