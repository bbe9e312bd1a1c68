"""What an operator asks: which job types there are, whether the server lives and is ready."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text

from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.routes.dependencies import Reading
from perdure.routes.problems import responses
from perdure.schemas.job_type import JobTypeAnswer, JobTypeList

router = APIRouter(tags=["operations"])


@router.get("/v1/job-types", summary="List job types", responses=responses(503))
async def job_types(connection: Reading) -> JobTypeList:
    """What workers have published that they can do, with schemas and defaults."""
    rows = await JobTypeQueries(connection).all()
    return JobTypeList(items=[JobTypeAnswer.model_validate(dict(row)) for row in rows])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz", summary="Can it serve?", responses=responses(503))
async def readyz(connection: Reading) -> dict[str, str]:
    """Asks the database."""
    await connection.execute(text("SELECT 1"))
    return {"status": "ready"}
