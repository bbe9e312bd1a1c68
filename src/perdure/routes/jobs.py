"""Jobs over HTTP: parse, call, answer. ``context`` and ``notifications`` pass through unread."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from perdure.db.session import Database
from perdure.models.api_key import Scope
from perdure.models.job import Job
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.routes.authentication import needs
from perdure.routes.dependencies import (
    Caller,
    CommandsPart,
    DatabasePart,
    FinishedJobsPart,
    IdempotencyKeyHeader,
    Reading,
    documents_body,
    idempotency_key_of,
    json_body,
    takes_no_idempotency_key,
)
from perdure.routes.job_records import found_job
from perdure.routes.paging import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from perdure.routes.problems import responses
from perdure.schemas.base import Request
from perdure.schemas.job import JobAnswer, JobCreate, JobEdits, JobList, JobSummary
from perdure.schemas.job_filter import JobFilterShape
from perdure.schemas.preview import PreviewAnswer

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobListQuery(JobFilterShape):
    """Filters and paging of the list; unknown parameters are refused."""

    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor = None


class WaitQuery(Request):
    timeout_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = Field(
        30.0, description="answer after so long, whatever its state"
    )


class SubmitQuery(Request):
    dry_run: bool = Field(False, description="answer what would happen, and store nothing")


@router.post(
    "",
    dependencies=[needs(Scope.SUBMIT)],
    status_code=201,
    response_model=JobAnswer,
    summary="Submit a job",
    openapi_extra=documents_body(JobCreate),
    responses={
        200: {"model": JobAnswer | PreviewAnswer, "description": "The job of the first time, or what a dry run found"},
        **responses(409, 413, 415, 422, 503),
    },
)
async def submit(
    sent: Annotated[JobCreate, Depends(json_body(JobCreate))],
    commands: CommandsPart,
    caller: Caller,
    response: Response,
    query: Annotated[SubmitQuery, Query()],
    idempotency_key: IdempotencyKeyHeader = None,
) -> JobAnswer | Response:
    """Stores the job and answers once it is committed. It is run at least once, whatever crashes.

    With an `Idempotency-Key` it may be sent again: it is one job, answered with 200 and `Idempotent-Replayed: true`.
    With `dry_run` nothing is stored, and no key is kept or asked for.
    """
    if query.dry_run:
        preview = PreviewAnswer.model_validate(await commands.preview(sent))
        return Response(preview.model_dump_json(), media_type="application/json")
    if idempotency_key is None:
        job = await commands.submit(sent)
    else:
        submission = await commands.submit_once(sent, idempotency_key_of(caller, idempotency_key))
        job = submission.job
        if submission.is_replay:
            response.status_code = 200
            response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return JobAnswer.model_validate(job)


@router.get("", dependencies=[needs(Scope.READ)], summary="List jobs, newest first", responses=responses(422, 503))
async def list_jobs(connection: Reading, query: Annotated[JobListQuery, Query()]) -> JobList:
    """Those that match all filters, without payloads and results. Follow `next_cursor` for more.

    A page takes about a second at most. A search that takes longer answers with fewer jobs than `limit`, or with none
    yet, and goes on at `next_cursor`.
    """
    found = await JobQueries(connection).newest(JobFilter.read(query), read_cursor(query.cursor), query.limit)
    next_cursor = None if found.rest is None else write_cursor(found.rest)
    return JobList(items=[JobSummary.model_validate(job) for job in found.jobs], next_cursor=next_cursor)


@router.get("/{job_id}", dependencies=[needs(Scope.READ)], summary="Get a job", responses=responses(404, 422, 503))
async def get(job_id: UUID, connection: Reading) -> JobAnswer:
    return JobAnswer.model_validate(await found_job(connection, job_id))


@router.get(
    "/{job_id}/wait",
    dependencies=[needs(Scope.READ)],
    summary="Wait for a job to finish",
    responses=responses(404, 422, 503),
)
async def wait(
    job_id: UUID, database: DatabasePart, finished: FinishedJobsPart, query: Annotated[WaitQuery, Query()]
) -> JobAnswer:
    """Answers when the job is final, or with the job as it is when the time is up."""
    job = await _read(database, job_id)
    if not job.is_final:
        await finished.wait(job_id, query.timeout_seconds)
        job = await _read(database, job_id)
    return JobAnswer.model_validate(job)


@router.post(
    "/{job_id}/cancel",
    dependencies=[needs(Scope.OPERATE)],
    summary="Cancel a job",
    responses={202: {"model": JobAnswer}, **responses(404, 409, 422, 503)},
)
async def cancel(job_id: UUID, commands: CommandsPart, response: Response) -> JobAnswer:
    """A waiting job is cancelled at once (200). A running one is asked to stop (202)."""
    job = await commands.cancel(job_id)
    response.status_code = 200 if job.is_final else 202
    return JobAnswer.model_validate(job)


@router.post(
    "/{job_id}/retry",
    dependencies=[needs(Scope.OPERATE), Depends(takes_no_idempotency_key)],
    summary="Run a finished job again",
    openapi_extra=documents_body(JobEdits, required=False),
    responses={201: {"model": JobAnswer}, **responses(404, 409, 413, 415, 422, 503)},
)
async def retry(
    job_id: UUID,
    edits: Annotated[JobEdits, Depends(json_body(JobEdits, required=False))],
    commands: CommandsPart,
    response: Response,
) -> JobAnswer:
    """Opens a new run: attempts count from the start, and its end is told anew (200).

    With a body that says what is to differ, the job stays as it is, and an edited copy of it is stored as a new one,
    whose `copy_of` names it (201).
    """
    if not edits.given:
        return JobAnswer.model_validate(await commands.retry(job_id))
    job = await commands.retry_edited(job_id, edits)
    response.status_code = 201
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    return JobAnswer.model_validate(job)


async def _read(database: Database, job_id: UUID) -> Job:
    async with database.snapshot() as connection:
        return await found_job(connection, job_id)
