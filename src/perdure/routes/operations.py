"""What an operator asks: which job types and workers there are, and how the platform stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from perdure.core.history import read_history
from perdure.models.api_key import Scope
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.repositories.worker_queries import WorkerQueries
from perdure.routes.authentication import needs
from perdure.routes.dependencies import DatabasePart, MeasuringPart, Reading
from perdure.routes.problems import responses
from perdure.schemas.history import HistoryAnswer, HistoryQuery
from perdure.schemas.job_type import JobTypeAnswer, JobTypeList
from perdure.schemas.statistics import StatisticsAnswer
from perdure.schemas.worker import WorkerAnswer, WorkerList

router = APIRouter(tags=["operations"])


@router.get("/v1/job-types", dependencies=[needs(Scope.READ)], summary="List job types", responses=responses(503))
async def job_types(connection: Reading) -> JobTypeList:
    """What workers have published that they can do, with schemas and defaults."""
    rows = await JobTypeQueries(connection).all()
    return JobTypeList(items=[JobTypeAnswer.model_validate(dict(row)) for row in rows])


@router.get("/v1/workers", dependencies=[needs(Scope.READ)], summary="List workers", responses=responses(503))
async def workers(connection: Reading) -> WorkerList:
    """Newest first: what each serves, how much it runs, and whether its lease lives."""
    rows = await WorkerQueries(connection).all()
    return WorkerList(items=[WorkerAnswer.model_validate(dict(row)) for row in rows])


@router.get("/v1/stats", dependencies=[needs(Scope.READ)], summary="How does it stand?", responses=responses(503))
async def statistics(measuring: MeasuringPart) -> StatisticsAnswer:
    """What waits and for how long, what runs, what was done in the last minute and hour, who was told."""
    return StatisticsAnswer.model_validate(await measuring.statistics())


@router.get(
    "/v1/stats/history",
    dependencies=[needs(Scope.READ)],
    summary="What was done over time?",
    responses=responses(422, 503),
)
async def history(database: DatabasePart, query: Annotated[HistoryQuery, Query()]) -> HistoryAnswer:
    """Jobs and attempts in equal steps, with how long they waited and took: of all, of a queue, or of a job type."""
    return HistoryAnswer.model_validate(await read_history(database, query))
