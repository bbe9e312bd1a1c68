"""The operator's own channel: who is told of which jobs, whatever these declare."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path
from fastapi.responses import Response

from perdure.core.notifications.events import JobEvent
from perdure.dashboard.formats import pretty
from perdure.dashboard.forms import by_field, problems_of, read_form
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import DatabasePart, Form, FormPart, SubscriptionCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.db.session import Database
from perdure.errors import InvalidInput
from perdure.models.subscription import Subscription
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas import strict_json
from perdure.schemas.job import Name
from perdure.schemas.subscription import SubscriptionAnswer, SubscriptionWrite

LIST = "/notifications/subscriptions"
EXAMPLE = {"email": {"to": ["ops@example.com"]}}
EVENTS = tuple(event.value for event in JobEvent)
SubscriptionName = Annotated[Name, Path()]

router = pages_router(prefix=LIST)


class _Named(SubscriptionWrite):
    """The form: the name, too."""

    name: Name


@router.get("", dependencies=[viewing()])
async def subscriptions(page: PagePart, commands: SubscriptionCommandsPart) -> Response:
    found = [SubscriptionAnswer.model_validate(one) for one in await commands.list()]
    return page.render("subscriptions.html", subscriptions=found)


@router.get("/set", dependencies=[acting()])
async def ask(
    page: PagePart, commands: SubscriptionCommandsPart, database: DatabasePart, name: Name | None = None
) -> Response:
    """A new one, or the one of this ``name`` to be changed."""
    return await _form_page(page, database, _fields(None if name is None else await commands.get(name)), {})


@router.post("", dependencies=[acting()])
async def put(page: PagePart, form: FormPart, commands: SubscriptionCommandsPart, database: DatabasePart) -> Response:
    """Sets it whole; a form with something wrong in it is shown again."""
    try:
        sent = read_form(_Named, _sent(form))
        wanted = SubscriptionWrite.model_validate(sent.model_dump(exclude={"name"}, exclude_unset=True))
        stored, is_new = await commands.set(sent.name, wanted, page.actor)
    except InvalidInput as error:
        fields = {name: form.raw(name) for name in ("name", "job_type", "queue", "notifications")}
        problems = by_field(problems_of(error, "notifications"))
        return await _form_page(page, database, fields | {"events": form.all("events")}, problems)
    return page.back_to(LIST, f"{stored.name} is {'set' if is_new else 'changed'}: it holds from now on.")


@router.post("/{name}/delete", dependencies=[acting()])
async def delete(name: SubscriptionName, page: PagePart, commands: SubscriptionCommandsPart) -> Response:
    await commands.delete(name, page.actor)
    return page.back_to(LIST, f"{name} is deleted. What it has caused to be told stays on record.")


def _sent(form: Form) -> dict[str, Any]:
    """Raises ``InvalidInput`` for what is no JSON."""
    return {
        "name": form.get("name") or "",
        "job_type": form.get("job_type"),
        "queue": form.get("queue"),
        "events": form.all("events"),
        "notifications": strict_json.decode(form.raw("notifications").encode()),
    }


def _fields(found: Subscription | None) -> dict[str, Any]:
    if found is None:
        return {"name": "", "job_type": "", "queue": "", "events": ["FAILURE"], "notifications": pretty(EXAMPLE)}
    return {
        "name": found.name,
        "job_type": found.job_type or "",
        "queue": found.queue or "",
        "events": found.events,
        "notifications": pretty(found.notifications),
    }


async def _form_page(page: Page, database: Database, fields: dict[str, Any], problems: dict[str, str]) -> Response:
    async with database.snapshot() as connection:
        types = await JobTypeQueries(connection).names()
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return page.render(
        "subscription_set.html", status=status, fields=fields, problems=problems, types=types, events=EVENTS
    )
