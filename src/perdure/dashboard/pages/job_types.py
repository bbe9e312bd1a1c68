"""The job types that workers have published: what each is for and asks for, how it does, and a form to submit a job.

The form is made from the type's JSON Schema; what it says is submitted by the command that ``POST /v1/jobs`` calls.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path
from fastapi.responses import Response
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.commands import Commands
from perdure.dashboard.formats import pretty
from perdure.dashboard.multipart import FormWithFilesPart
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import CommandsPart, DatabasePart, FailuresPart, FiguresPart, Reading
from perdure.dashboard.routing import pages_router
from perdure.dashboard.schema_fields import Field, Kind, example_of, fields_of, flat
from perdure.dashboard.submission_form import JSON_FIELD, OPTIONS, TOLD, SubmissionForm
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import IdempotencyKeyReused, InvalidInput, NotFound
from perdure.models.api_key import Scope
from perdure.models.history import Point
from perdure.models.job import Job
from perdure.models.submission import IdempotencyKey
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.repositories.worker_queries import WorkerQueries
from perdure.schemas.job import Name

router = pages_router(prefix="/job-types")

TypeName = Annotated[Name, Path()]


@router.get("", dependencies=[viewing()])
async def job_types(page: PagePart, figures: FiguresPart, database: DatabasePart) -> Response:
    done = await figures.by_type()  # before a connection is taken: it needs one, too
    async with database.snapshot() as connection:
        found = await JobTypeQueries(connection).all()
        able = await WorkerQueries(connection).able()
    return page.render("job_types.html", types=found, done=done, able=able)


@router.get("/{job_type}", dependencies=[viewing()])
async def job_type(
    job_type: TypeName, page: PagePart, figures: FiguresPart, failures: FailuresPart, database: DatabasePart
) -> Response:
    done = await figures.by_type()
    groups = [one for one in await failures.groups() if one.job_type == job_type]
    async with database.snapshot() as connection:
        published = await _published(connection, job_type)
        able = await WorkerQueries(connection).able()
    return page.render(
        "job_type.html",
        one=published,
        did=done.get(job_type, Point(at=database.clock.now())),
        groups=groups,
        able=able.get(job_type, 0),
        payload=_listed(published["payload_schema"]),
        result=_listed(published["result_schema"]),
    )


@router.get("/{job_type}/submit", dependencies=[acting(Scope.SUBMIT)])
async def ask(job_type: TypeName, page: PagePart, connection: Reading) -> Response:
    published = await _published(connection, job_type)
    fields = fields_of(published["payload_schema"])
    form = SubmissionForm(fields, is_json=fields is None)
    form.texts = {JSON_FIELD: [pretty(example_of(published["payload_schema"], fields))]}
    return _form_page(page, published, form)


@router.post("/{job_type}/submit", dependencies=[acting(Scope.SUBMIT)])
async def submit(
    job_type: TypeName, page: PagePart, form: FormWithFilesPart, database: DatabasePart, commands: CommandsPart
) -> Response:
    """Submits the job; or shows the form again, with what is wrong in it, or with its payload as JSON."""
    async with database.snapshot() as connection:
        published = await _published(connection, job_type)
    sent = SubmissionForm.sent(form, fields_of(published["payload_schema"]))
    if form.get("do") == "json":
        sent.texts = dict(sent.texts) | {JSON_FIELD: [pretty(sent.payload())]}
        sent.is_json, sent.problems = True, {}
        return _form_page(page, published, sent)
    job = await _submitted(page, commands, sent, job_type)
    if job is None:
        return _form_page(page, published, sent)
    return page.back_to(f"/jobs/{job.job_id}", "The job is submitted; this is it.")


async def _submitted(page: Page, commands: Commands, sent: SubmissionForm, job_type: str) -> Job | None:
    """None where something is wrong: the form knows what."""
    sent.payload()
    if sent.problems:
        return None
    caller = page.viewer.key
    try:
        made = await commands.submit_once(
            sent.read(job_type), IdempotencyKey("" if caller is None else caller.key_id, sent.key)
        )
    except IdempotencyKeyReused as error:
        sent.key = SubmissionForm(None, is_json=True).key
        sent.problems[""] = [f"A job was submitted from this form already: {error.job_id}. Submit again for another."]
    except InvalidInput as error:
        sent.refuse(error)
    else:
        return made.job
    return None


async def _published(connection: AsyncConnection, job_type: str) -> RowMapping:
    found = await JobTypeQueries(connection).get(job_type)
    if found is None:
        raise NotFound("No worker has published this job type.")
    return found


def _listed(schema: dict[str, object]) -> list[Field] | None:
    fields = fields_of(schema)
    return None if fields is None else list(flat(fields))


def _form_page(page: Page, published: RowMapping, form: SubmissionForm) -> Response:
    return page.render(
        "job_submit.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK,
        one=published,
        form=form,
        told=TOLD,
        takes_files=any(Kind.FILE in (one.kind, one.items) for one in flat(form.fields or ())),
        has_options=any(form.text(name) for name in OPTIONS if name != "on")
        or any(o in form.problems for o in OPTIONS),
    )
