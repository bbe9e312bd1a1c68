"""Retry or cancel many jobs: what would become of them first, then how it goes.

Those that were selected are acted on one by one, at once: no more than a page has. All that match a filter are left to
an action (``core/job_actions.py``), which is followed, and can be stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.datastructures import ImmutableMultiDict

from perdure.core.commands import Commands
from perdure.dashboard.job_filters import JobsAsked
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import CommandsPart, DatabasePart, Form, FormPart, JobActionsPart, Reading
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import InvalidInput, NotFound, PerdureError
from perdure.models.api_key import Scope
from perdure.models.job_action import ActionVerb, skip_reason
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.repositories.job_queries import JobQueries
from perdure.schemas.job_action import MAX_REASON_LENGTH, JobActionCreate

MAX_SELECTED = 200
SHOWN = 50

router = pages_router(prefix="/jobs/actions")


@router.get("/new", dependencies=[acting()])
async def ask(
    request: Request,
    page: PagePart,
    database: DatabasePart,
    actions: JobActionsPart,
    action: Annotated[ActionVerb, Query()],
    job_id: Annotated[list[UUID], Query(max_length=MAX_SELECTED)] = [],  # noqa: B006 (FastAPI copies it)
) -> Response:
    """What would become of the selected jobs, or of all that match."""
    asked = JobsAsked.read(request, database.clock.now())
    if job_id:
        async with database.snapshot() as connection:
            jobs = await JobQueries(connection).summaries(job_id)
        reasons = [
            skip_reason(action, job.status, cancel_requested=job.cancel_requested_at is not None) for job in jobs
        ]
        able = [job for job, reason in zip(jobs, reasons, strict=True) if reason is None]
        skipped = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons) if reason is not None}
        return page.render(
            "job_action_new.html",
            verb=action,
            asked=asked,
            selected=job_id,
            matched=len(jobs),
            able=len(able),
            skipped=skipped,
            sample=able[:10],
            is_complete=True,
        )
    preview = await actions.preview(_wanted(action, asked))
    async with database.snapshot() as connection:
        sample = await JobQueries(connection).summaries(preview.sample)
    return page.render(
        "job_action_new.html",
        verb=action,
        asked=asked,
        selected=[],
        matched=preview.matched,
        able=preview.done,
        skipped=preview.skipped,
        sample=sample,
        is_complete=preview.is_complete,
    )


@router.post("", dependencies=[acting()])
async def act(
    page: PagePart, form: FormPart, database: DatabasePart, commands: CommandsPart, actions: JobActionsPart
) -> Response:
    """Does it to the selected jobs, or begins to do it to all that match."""
    verb, job_ids = _verb(form), _job_ids(form)
    asked = JobsAsked.of(ImmutableMultiDict(form.items()), database.clock.now())
    if job_ids:
        done, problems = await _each(commands, verb, job_ids)
        return page.back_to(
            asked.address(), _said(verb, done, problems), tone="bad" if problems and not done else "good"
        )
    action = await actions.start(_wanted(verb, asked, form.get("reason")), page.actor)
    of = form.get("matched") or ""
    return page.back_to(f"/jobs/actions/{action.action_id}" + (f"?of={of}" if of.isdecimal() else ""))


@router.get("", dependencies=[viewing()])
async def actions_list(page: PagePart, connection: Reading, before: Annotated[UUID | None, Query()] = None) -> Response:
    found = await JobActionRepository(connection).newest(before, SHOWN + 1)
    rest = found[SHOWN - 1].action_id if len(found) > SHOWN else None
    return page.render("job_actions.html", actions=found[:SHOWN], rest=rest, before=before)


@router.get("/{action_id}", dependencies=[viewing()])
async def follow(
    action_id: UUID, page: PagePart, connection: Reading, of: Annotated[int | None, Query(ge=0, le=10**9)] = None
) -> Response:
    """How far it has come; ``of``: how many jobs matched when it was asked for, where that was counted."""
    action = await JobActionRepository(connection).get(action_id)
    if action is None:
        raise NotFound("There is no action with this id.")
    return page.render("job_action.html", action=action, of=of, skipped=sum(action.skipped.values()))


@router.post("/{action_id}/stop", dependencies=[acting(Scope.OPERATE)])
async def stop(action_id: UUID, page: PagePart, actions: JobActionsPart) -> Response:
    await actions.stop(action_id, page.actor)
    return page.back_to(f"/jobs/actions/{action_id}", "It is stopped. What was done stays done.", tone="plain")


async def _each(commands: Commands, verb: ActionVerb, job_ids: Sequence[UUID]) -> tuple[int, list[str]]:
    """How many it was done to, and why it was not to the others."""
    problems = []
    for job_id in job_ids:
        try:
            await (commands.retry(job_id) if verb is ActionVerb.RETRY else commands.cancel(job_id))
        except PerdureError as error:
            problems.append(error.detail)
    return len(job_ids) - len(problems), problems


def _said(verb: ActionVerb, done: int, problems: Sequence[str]) -> str:
    deed = "get a new run" if verb is ActionVerb.RETRY else "are cancelled, or asked to stop"
    if done == 1:
        deed = "gets a new run" if verb is ActionVerb.RETRY else "is cancelled, or asked to stop"
    said = f"{done} {'job' if done == 1 else 'jobs'} {deed}."
    return f"{said} {len(problems)} left as they are: {problems[0]}" if problems else said


def _wanted(verb: ActionVerb, asked: JobsAsked, reason: str | None = None) -> JobActionCreate:
    return JobActionCreate(
        action=verb, filter=asked.shape, all=asked.shape.is_empty, reason=(reason or "")[:MAX_REASON_LENGTH] or None
    )


def _verb(form: Form) -> ActionVerb:
    try:
        return ActionVerb(form.get("action") or "")
    except ValueError:
        raise InvalidInput("Jobs can be retried or cancelled, and nothing else.") from None


def _job_ids(form: Form) -> list[UUID]:
    try:
        job_ids = [UUID(one) for one in form.all("job_id")]
    except ValueError:
        raise InvalidInput("One of the selected jobs has no id that is one.") from None
    if len(job_ids) > MAX_SELECTED:
        raise InvalidInput(f"No more than {MAX_SELECTED} jobs can be selected; act on all that match instead.")
    return list(dict.fromkeys(job_ids))
