"""The jobs: found by whatever is known of them, a page at a time, and kept true while one looks.

A page is a search (one to three statements, each by an index; ``repositories/job_search.py``), one or two that count by
state up to a limit, and one for the names of the job types.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.dashboard.job_filters import AGES, JobsAsked
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import DatabasePart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import viewing
from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_counts import JobCounting, JobCounts
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.job_filter import JobFilterShape

PAGE = 50
NEW_COUNTED = 25
"""So many new jobs are counted; more are "more than" that."""
TABS = (
    *(JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RETRYING, JobStatus.SCHEDULED),
    *(JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.CANCELLED),
)

router = pages_router()


@router.get("/jobs", dependencies=[viewing()])
async def jobs(
    request: Request, page: PagePart, database: DatabasePart, before: Annotated[UUID | None, Query()] = None
) -> Response:
    asked = JobsAsked.read(request, database.clock.now())
    if (job_id := _whole_id(asked)) is not None:
        return RedirectResponse(f"/jobs/{job_id}", 303)
    async with database.snapshot() as connection:
        read = JobQueries(connection)
        found = await read.newest(asked.filter, before, PAGE)
        types = await JobTypeQueries(connection).names()
        is_first_ever = not found.jobs and asked.shape == JobFilterShape() and not await read.has_any()
    return page.render(
        "jobs.html",
        asked=asked,
        jobs=found.jobs,
        rest=found.rest,
        before=before,
        counts=await counted(database, asked.filter),
        tabs=TABS,
        types=types,
        ages=list(AGES),
        is_first_ever=is_first_ever,
        url=str(request.base_url).rstrip("/"),
    )


@router.get("/jobs/live", dependencies=[viewing()])
async def live(
    request: Request,
    page: PagePart,
    database: DatabasePart,
    job_id: Annotated[list[UUID], Query(max_length=200)] = [],  # noqa: B006 (FastAPI copies it)
    newest: Annotated[UUID | None, Query()] = None,
) -> Response:
    """What an open page draws anew: the rows that something happened to, the counts, and how many jobs are new."""
    asked = JobsAsked.read(request, database.clock.now())
    async with database.snapshot() as connection:
        changed = await JobQueries(connection).summaries(job_id)
        new = 0 if newest is None else await _new(connection, asked.filter, newest)
    counts = await counted(database, asked.filter)
    return page.render("jobs_live.html", asked=asked, jobs=changed, counts=counts, tabs=TABS, new=new, most=NEW_COUNTED)


async def counted(database: Database, wanted: JobFilter) -> JobCounts | None:
    """None where to count would take too long."""
    try:
        async with database.snapshot() as connection:
            return await JobCounting(connection).count(wanted)
    except Unavailable:
        return None


async def _new(connection: AsyncConnection, wanted: JobFilter, newest: UUID) -> int:
    """How many match that are newer than the page's first one."""
    found = await JobQueries(connection).newest(wanted.newer_than(newest), None, NEW_COUNTED + 1)
    return sum(job.job_id > newest for job in found.jobs)


def _whole_id(asked: JobsAsked) -> UUID | None:
    """The id that is searched for, where that is all."""
    if [name for name, _ in asked.fields] != ["q"]:
        return None
    try:
        return UUID(asked.value("q"))
    except ValueError:
        return None
