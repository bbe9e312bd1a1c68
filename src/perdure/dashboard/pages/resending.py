"""Send all deliveries that match again: what would become of them first, then batch by batch, with how far that is.

A batch is a form; scripts send one after the other (``resend.js``), and without them its button does. Nothing is lost
where that ends midway: what was sent again is left as it is, so that it may be begun anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field
from starlette.datastructures import ImmutableMultiDict

from perdure.dashboard import forms
from perdure.dashboard.delivery_filters import DeliveriesAsked
from perdure.dashboard.page import PagePart
from perdure.dashboard.pages.notifications import drawn
from perdure.dashboard.parts import DatabasePart, DeliveryCommandsPart, FormPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting
from perdure.errors import InvalidInput, ValidationFailed
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.schemas import base
from perdure.schemas.delivery_filter import DeliveryResend

PATH = "/notifications/resend"
SAMPLE = 10
Count = Annotated[int, Field(ge=0, le=10**12)]

router = pages_router(prefix=PATH)


class Advance(base.Request):
    """How far it has come, as the address says it."""

    walked: Count = 0
    """So many that match were looked at, and"""
    done: Count = 0
    """so many of them sent again."""
    of: Count | None = None
    """So many matched when it began, where that was counted."""
    rest: UUID | None = None
    """What is left is older than this one; None: nothing is."""

    def parts(self) -> dict[str, str | None]:
        """As an address says it."""
        return {name: None if value is None else str(value) for name, value in self}


@router.get("", dependencies=[acting()])
async def ask(request: Request, page: PagePart, database: DatabasePart, commands: DeliveryCommandsPart) -> Response:
    """What would become of all that match."""
    asked = DeliveriesAsked.read(request, database.clock.now())
    wanted = _wanted(asked)
    preview = await commands.preview_resend_all(wanted)
    async with database.snapshot() as connection:
        sample = await DeliveryQueries(connection).newest(wanted, None, SAMPLE)
    return page.render("resend_new.html", asked=asked, fields=_fixed(asked), preview=preview, **drawn(sample))


@router.post("", dependencies=[acting()])
async def resend(page: PagePart, form: FormPart, database: DatabasePart, commands: DeliveryCommandsPart) -> Response:
    """Sends the next batch again."""
    asked = DeliveriesAsked.of(ImmutableMultiDict(form.items()), database.clock.now())
    before = _advance(form.get)
    batch = await commands.resend_all(_wanted(asked), before.rest, page.actor, dry_run=False)
    walked, done = before.walked + batch.matched, before.done + batch.resent
    now = before.model_copy(update={"walked": walked, "done": done, "rest": batch.rest})
    return page.back_to(asked.address(f"{PATH}/advance", **now.parts()))


@router.get("/advance", dependencies=[acting()])
async def follow(request: Request, page: PagePart, database: DatabasePart) -> Response:
    """How far it has come, and the form of the next batch."""
    asked = DeliveriesAsked.read(request, database.clock.now())
    return page.render("resend.html", asked=asked, fields=_fixed(asked), advance=_advance(request.query_params.get))


def _wanted(asked: DeliveriesAsked) -> DeliveryFilter:
    """Judged as the API judges it: raises ``InvalidInput`` unless states are named, of those that have ended."""
    try:
        return DeliveryFilter.read(forms.read_form(DeliveryResend, {"filter": asked.shape}).filter)
    except ValidationFailed:
        raise InvalidInput(
            "Choose a state of those that have ended, such as Failed, in the list of notifications: what is under way "
            "goes on by itself, and nobody is to be told twice unawares."
        ) from None


def _fixed(asked: DeliveriesAsked) -> list[tuple[str, str]]:
    """What the address says, the same whenever it is asked: an age as the moment that it means now."""
    kept = [(name, value) for name, value in asked.fields if name not in ("age", "created_after")]
    after = asked.shape.created_after
    return kept if after is None else [*kept, ("created_after", after.isoformat())]


def _advance(value: Callable[[str], str | None]) -> Advance:
    return forms.read_form(Advance, {name: value(name) or None for name in Advance.model_fields})
