"""The named webhook endpoints: where they are, whether they are called, and their secrets, each shown once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from perdure.core.endpoint_commands import EndpointCommands
from perdure.dashboard.asked import AGES
from perdure.dashboard.formats import duration
from perdure.dashboard.forms import by_field, problems_of, read_form
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import DatabasePart, EndpointCommandsPart, FormPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import InvalidInput
from perdure.models.webhook_endpoint import WebhookEndpoint
from perdure.schemas.job import Name
from perdure.schemas.webhook_endpoint import EndpointAnswer, EndpointWrite

LIST = "/notifications/endpoints"
EndpointName = Annotated[Name, Path()]

router = pages_router(prefix=LIST)


class _Named(EndpointWrite):
    """The form: the name, too."""

    name: Name


@router.get("", dependencies=[viewing()])
async def endpoints(page: PagePart, commands: EndpointCommandsPart) -> Response:
    return await _list(page, commands)


@router.post("", dependencies=[acting()])
async def put(page: PagePart, form: FormPart, commands: EndpointCommandsPart) -> Response:
    """Makes the endpoint, or moves the one of this name; a form with something wrong in it is shown again."""
    fields = {name: form.get(name) for name in ("name", "url")}
    try:
        sent = read_form(_Named, fields)
    except InvalidInput as error:
        return await _list(page, commands, fields, by_field(problems_of(error, "url")))
    endpoint, secret = await commands.set(sent.name, sent.url, page.actor)
    if secret is None:
        return page.back_to(f"{LIST}/{endpoint.name}", "It is called at this URL from now on; its secret stays.")
    return _with_secret(page, endpoint, secret)


@router.get("/{name}", dependencies=[viewing()])
async def endpoint(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    found = await commands.get(name)
    return page.render("endpoint.html", endpoint=EndpointAnswer.model_validate(found), secret=None, ages=list(AGES))


@router.post("/{name}/rotate", dependencies=[acting()])
async def rotate(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    return _with_secret(page, *await commands.rotate(name, page.actor))


@router.post("/{name}/disable", dependencies=[acting()])
async def disable(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    await commands.disable(name, page.actor)
    return page.back_to(f"{LIST}/{name}", "It is disabled: what is to be told to it fails from its next try on.")


@router.post("/{name}/enable", dependencies=[acting()])
async def enable(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    await commands.enable(name, page.actor)
    return page.back_to(f"{LIST}/{name}", "It is called again. What failed meanwhile is sent again by Recover.")


@router.post("/{name}/test", dependencies=[acting()])
async def test(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    """One signed call; what came of it is said."""
    made = await commands.test(name)
    attempt = made.attempt
    answered = "" if attempt.status_code is None else f" with status {attempt.status_code}"
    if made.arrived:
        return page.back_to(f"{LIST}/{name}", f"The test arrived, answered{answered} in {duration(made.seconds)}.")
    why = attempt.message or attempt.error_type or attempt.verdict
    return page.back_to(f"{LIST}/{name}", f"The test did not arrive{answered}: {why}", tone="bad")


@router.post("/{name}/recover", dependencies=[acting()])
async def recover(
    name: EndpointName, page: PagePart, form: FormPart, commands: EndpointCommandsPart, database: DatabasePart
) -> Response:
    age = AGES.get(form.get("age") or "", timedelta())
    if not age:
        raise InvalidInput("Say from when on what failed is to be sent again.")
    resent, is_complete = await commands.recover(name, database.clock.now() - age, page.actor)
    said = f"{resent} {'delivery is' if resent == 1 else 'deliveries are'} sent again."
    return page.back_to(f"{LIST}/{name}", said + ("" if is_complete else " There are more: recover it once more."))


@router.post("/{name}/remove", dependencies=[acting()])
async def remove(name: EndpointName, page: PagePart, commands: EndpointCommandsPart) -> Response:
    await commands.remove(name, page.actor)
    return page.back_to(LIST, f"{name} is removed. What is on record stays.")


async def _list(
    page: Page,
    commands: EndpointCommands,
    fields: Mapping[str, str | None] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response:
    return page.render(
        "endpoints.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        endpoints=[EndpointAnswer.model_validate(one) for one in await commands.list()],
        fields=fields or {},
        problems=problems or {},
    )


def _with_secret(page: Page, endpoint: WebhookEndpoint, secret: str) -> Response:
    """The answer itself shows the secret: nothing else keeps it, and no other page can show it again."""
    shown = EndpointAnswer.model_validate(endpoint)
    return page.render("endpoint.html", endpoint=shown, secret=secret, ages=list(AGES))
