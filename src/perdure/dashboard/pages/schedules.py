"""The schedules: when each submits its job, in words and as the times that come, and what became of the latest times.

What is set is judged by the very command that the API calls; "check" asks it without storing anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Path
from fastapi.responses import Response

from perdure.core.cron import Cron
from perdure.core.schedule_commands import Outlook, ScheduleCommands
from perdure.dashboard.formats import relative
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import DatabasePart, FormPart, Reading, ScheduleCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.schedule_form import ScheduleForm
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import FieldProblem, InvalidInput, ValidationFailed
from perdure.models.schedule import CatchUp, Overlap, Schedule
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.repositories.schedule_queries import ScheduleQueries
from perdure.schemas.job import Name
from perdure.schemas.schedule import ScheduleWrite

NEW = "/~new"
"""Where a new one is made: no schedule can be called so."""
_FIELDS = {"name", "expression", "time_zone", "job", "catch_up", "overlap", "paused"}

router = pages_router(prefix="/schedules")

ScheduleName = Annotated[Name, Path()]


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule in the list. ``words``: its expression in words, or itself where it cannot be read here."""

    schedule: Schedule
    words: str


@router.get("", dependencies=[viewing()])
async def schedules(page: PagePart, connection: Reading) -> Response:
    queries = ScheduleQueries(connection)
    found = await queries.all()
    return page.render(
        "schedules.html",
        rows=[Row(one, _words(one)) for one in found],
        latest=await queries.latest_slot_of_each(),
    )


@router.get(NEW, dependencies=[acting()])
async def new(page: PagePart, connection: Reading) -> Response:
    return _form_page(page, ScheduleForm(), await JobTypeQueries(connection).names(), is_new=True)


@router.post("", dependencies=[acting()])
async def put(page: PagePart, form: FormPart, commands: ScheduleCommandsPart, database: DatabasePart) -> Response:
    """Sets the schedule, or, asked only to check it, shows what it would come to."""
    sent = ScheduleForm.sent(form)
    is_check, is_new = form.get("do") == "check", form.get("new") is not None
    outlook: Outlook | None = None
    problems: Sequence[FieldProblem] = ()
    try:
        name, wanted = sent.read()
        outlook = await _set(commands, name, wanted, is_new=is_new, is_check=is_check)
    except ValidationFailed as error:
        problems = error.problems
    except InvalidInput as error:
        problems = [FieldProblem("job", error.detail, error.code)]
    if outlook is None or is_check:
        async with database.snapshot() as connection:
            types = await JobTypeQueries(connection).names()
        return _form_page(page, sent, types, is_new=is_new, problems=problems, outlook=outlook)
    return page.back_to(f"/schedules/{name}", f"{name} is {'made' if outlook.is_new else 'set'}.")


@router.get("/{name}", dependencies=[viewing()])
async def schedule(name: ScheduleName, page: PagePart, commands: ScheduleCommandsPart) -> Response:
    outlook = await commands.get(name)
    return page.render("schedule.html", outlook=outlook, schedule=outlook.schedule, next_runs=_next(outlook))


@router.get("/{name}/edit", dependencies=[acting()])
async def edit(name: ScheduleName, page: PagePart, commands: ScheduleCommandsPart, database: DatabasePart) -> Response:
    outlook = await commands.get(name)
    async with database.snapshot() as connection:
        types = await JobTypeQueries(connection).names()
    return _form_page(page, ScheduleForm.of(outlook.schedule), types, is_new=False)


@router.post("/{name}/pause", dependencies=[acting()])
async def pause(name: ScheduleName, page: PagePart, form: FormPart, commands: ScheduleCommandsPart) -> Response:
    await commands.set_paused(name, paused=True)
    return page.back_to(form.get("back") or "/schedules", f"{name} is paused, and submits nothing.", tone="plain")


@router.post("/{name}/resume", dependencies=[acting()])
async def resume(name: ScheduleName, page: PagePart, form: FormPart, commands: ScheduleCommandsPart) -> Response:
    schedule = await commands.set_paused(name, paused=False)
    at, now = schedule.next_slot_at, schedule.updated_at
    said = "" if at is None else f" Its next job comes {relative(max(at, now), now)}."
    return page.back_to(form.get("back") or "/schedules", f"{name} goes on.{said}")


@router.post("/{name}/delete", dependencies=[acting()])
async def delete(name: ScheduleName, page: PagePart, commands: ScheduleCommandsPart) -> Response:
    await commands.delete(name)
    return page.back_to("/schedules", f"{name} is deleted. The jobs that it submitted stay.", tone="plain")


async def _set(
    commands: ScheduleCommands, name: str, wanted: ScheduleWrite, *, is_new: bool, is_check: bool
) -> Outlook:
    """Raises ``ValidationFailed`` also where one that is to be new would take the place of another."""
    outlook = await commands.set(name, wanted, dry_run=is_check or is_new)
    if is_new and not outlook.is_new:
        raise ValidationFailed([FieldProblem("name", "is that of another schedule; edit that one", "name_taken")])
    return await commands.set(name, wanted, dry_run=False) if is_new and not is_check else outlook


def _words(schedule: Schedule) -> str:
    try:
        return Cron(schedule.expression, schedule.time_zone).description
    except ValidationFailed:  # set where more time zones are known than here
        return schedule.expression


def _next(outlook: Outlook) -> list[tuple[datetime, str]]:
    """The times that come next, and how clocks there show them."""
    zone = ZoneInfo(outlook.schedule.time_zone)
    return [(at, f"{at.astimezone(zone):%a %d %b %Y, %H:%M %Z}") for at in outlook.next_runs]


def _form_page(
    page: Page,
    sent: ScheduleForm,
    types: Sequence[str],
    *,
    is_new: bool,
    problems: Sequence[FieldProblem] = (),
    outlook: Outlook | None = None,
) -> Response:
    of_fields: dict[str, list[str]] = {}
    for one in problems:
        field = one.field.partition(".")[0]
        inside = one.field.partition(".")[2]
        said = f"{inside}: {one.message}" if inside else one.message
        of_fields.setdefault(field if field in _FIELDS else "job", []).append(said)
    return page.render(
        "schedule_form.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        sent=sent,
        is_new=is_new,
        problems=of_fields,
        outlook=outlook,
        next_runs=[] if outlook is None else _next(outlook),
        types=types,
        zones=sorted(available_timezones()),
        catch_ups=list(CatchUp),
        overlaps=list(Overlap),
    )
