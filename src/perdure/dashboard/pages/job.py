"""One job: everything that is on record about it, in words and in JSON, and what can be done with it.

Eight statements at most, each by the job's own index; a log is shown up to so many lines.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from fastapi.responses import FileResponse, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.commands import Commands
from perdure.core.explanation import explain
from perdure.core.job_factory import edited
from perdure.dashboard.formats import pretty
from perdure.dashboard.job_story import story_of
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import CommandsPart, DatabasePart, FileCommandsPart, Form, FormPart, Reading
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import InvalidInput, NotFound, ValidationFailed
from perdure.models.job import Job
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.explanation_queries import ExplanationQueries
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_queries import JobQueries
from perdure.schemas import strict_json
from perdure.schemas.job import JobEdits
from perdure.schemas.reading import field_problems

LOG_LINES = 500
HARMLESS = {"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, no-cache"}
"""A file is what somebody uploaded: no browser may run it in our name."""

router = pages_router()


@router.get("/jobs/{job_id}", dependencies=[viewing()])
async def job(job_id: UUID, page: PagePart, connection: Reading, database: DatabasePart) -> Response:
    found = await _found(connection, job_id)
    read = DeliveryQueries(connection)
    deliveries = await read.of_job(job_id)
    tries = await read.tries_of([one.delivery_id for one in deliveries]) if deliveries else {}
    log = await JobLogRepository(connection).of_job(job_id, 0, LOG_LINES + 1)
    timeline = await JobQueries(connection).timeline(found)
    explanation = None
    if not found.is_final:
        around = await ExplanationQueries(connection).around(found)
        explanation = explain(found, around, database.clock.now())
    return page.render(
        "job.html",
        job=found,
        steps=story_of(found, timeline, log[:LOG_LINES], deliveries, tries),
        has_more_log=len(log) > LOG_LINES,
        log_lines=LOG_LINES,
        files=await FileRepository(connection).of_job(job_id),
        explanation=explanation,
    )


@router.post("/jobs/{job_id}/retry", dependencies=[acting()])
async def retry(job_id: UUID, page: PagePart, commands: CommandsPart) -> Response:
    await commands.retry(job_id)
    return page.back_to(f"/jobs/{job_id}", "A new run is opened.")


@router.post("/jobs/{job_id}/cancel", dependencies=[acting()])
async def cancel(job_id: UUID, page: PagePart, commands: CommandsPart) -> Response:
    cancelled = await commands.cancel(job_id)
    said = "It is cancelled." if cancelled.is_final else "It is asked to stop, and is cancelled once it does."
    return page.back_to(f"/jobs/{job_id}", said)


@router.get("/jobs/{job_id}/edit", dependencies=[acting()])
async def edit(job_id: UUID, page: PagePart, connection: Reading) -> Response:
    """What the copy is to be, to be edited: at first as the job itself."""
    return _edit_page(page, await _found(connection, job_id), None, [])


@router.post("/jobs/{job_id}/edit", dependencies=[acting()])
async def submit_edited(
    job_id: UUID, page: PagePart, form: FormPart, commands: CommandsPart, database: DatabasePart
) -> Response:
    """Stores the edited copy; a form with something wrong in it is shown again, and says what."""
    async with database.snapshot() as connection:
        original = await _found(connection, job_id)
    try:
        copy = await _copied(commands, original, _edits(form))
    except InvalidInput as error:
        problems = error.problems if isinstance(error, ValidationFailed) else []
        told = [(one.field, one.message) for one in problems] or [("payload", error.detail)]
        return _edit_page(page, original, form, told)
    return page.back_to(f"/jobs/{copy.job_id}", "A copy was submitted; this is it.")


@router.get("/files/{file_id}", dependencies=[viewing()])
async def download(file_id: UUID, files: FileCommandsPart) -> Response:
    file, path = await files.find(file_id)
    return FileResponse(path, media_type=file.content_type, filename=file.name, headers=HARMLESS)


async def _found(connection: AsyncConnection, job_id: UUID) -> Job:
    found = await JobQueries(connection).get(job_id)
    if found is None:
        raise NotFound("There is no job with this id. Jobs that ended are kept as long as retention says.")
    return found


async def _copied(commands: Commands, original: Job, edits: JobEdits) -> Job:
    """A live job keeps its unique key to itself: its copy is a job of its own, submitted like any."""
    if original.is_final:
        return await commands.retry_edited(original.job_id, edits)
    return await commands.submit(edited(original, edits).model_copy(update={"unique_key": None}))


def _edit_page(page: Page, job: Job, form: Form | None, problems: list[tuple[str, str]]) -> Response:
    def value(name: str, of_job: Any) -> str:
        return form.raw(name) if form is not None else str(of_job)

    fields = {
        "payload": value("payload", pretty(job.payload)),
        "queue": value("queue", job.queue),
        "priority": value("priority", job.priority),
        "max_retries": value("max_retries", job.max_attempts - 1),
        "timeout_seconds": value("timeout_seconds", f"{job.timeout_seconds:g}"),
        "tags": value("tags", " ".join(job.tags)),
    }
    return page.render(
        "job_edit.html", status=422 if problems else 200, job=job, fields=fields, problems=dict(problems)
    )


def _edits(form: Form) -> JobEdits:
    """Raises ``InvalidInput`` for what cannot be."""
    sent: dict[str, Any] = {
        "payload": strict_json.decode(form.raw("payload").encode()),
        "tags": form.raw("tags").split(),
    }
    for name in ("priority", "max_retries", "timeout_seconds"):
        sent[name] = _number(form.get(name))
    if (queue := form.get("queue")) is not None:
        sent["queue"] = queue
    try:
        return JobEdits.model_validate({name: value for name, value in sent.items() if value is not None})
    except ValidationError as error:
        raise ValidationFailed(field_problems(error)) from None


def _number(text: str | None) -> Any:
    """The number that was typed; what is none is left for the schema to refuse."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
