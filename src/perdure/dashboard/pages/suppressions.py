"""The suppression list: to whom nothing is sent, and why; putting addresses on it, and taking one off.

Addresses are whole here, as in the API: a list that cannot be read cannot be kept in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response

from perdure.dashboard.forms import read_form
from perdure.dashboard.page import Page, PagePart
from perdure.dashboard.parts import Form, FormPart, Reading, SuppressionCommandsPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import FieldProblem, InvalidInput, ValidationFailed
from perdure.models.suppression import SuppressionReason
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.schemas.addresses import check_address
from perdure.schemas.suppression import SuppressionAnswer, SuppressionsAdd

PAGE = 50
_BETWEEN = re.compile(r"[\s,;]+")
_PLACE = re.compile(r"addresses\[(\d+)\]")

router = pages_router(prefix="/notifications/suppressions")


@router.get("", dependencies=[viewing()])
async def suppressions(
    page: PagePart,
    connection: Reading,
    address: Annotated[str, Query(max_length=254)] = "",
    before: Annotated[UUID | None, Query()] = None,
) -> Response:
    """All, or the one ``address`` that is looked for."""
    wanted, found = _checked(address), []
    if wanted is not None or not address.strip():
        found = list(await SuppressionRepository(connection).newest(wanted, before, PAGE + 1))
    return page.render(
        "suppressions.html",
        listed=[SuppressionAnswer.model_validate(dict(one)) for one in found[:PAGE]],
        rest=found[PAGE - 1]["suppression_id"] if len(found) > PAGE else None,
        before=before,
        address=address.strip(),
    )


@router.get("/new", dependencies=[acting()])
async def ask(page: PagePart) -> Response:
    return _form_page(page, None, [])


@router.post("", dependencies=[acting()])
async def add(page: PagePart, form: FormPart, commands: SuppressionCommandsPart) -> Response:
    """Lists the addresses; a form with something wrong in it is shown again, and says what."""
    addresses = [one for one in _BETWEEN.split(form.raw("addresses")) if one]
    sent = {"addresses": addresses, "reason": form.get("reason"), "note": form.get("note")}
    try:
        asked = read_form(SuppressionsAdd, sent)
    except ValidationFailed as error:
        return _form_page(page, form, error.problems)
    added, known = await commands.add(asked.addresses, asked.reason, asked.note, page.actor)
    said = f"{added} {'address is' if added == 1 else 'addresses are'} suppressed from now on."
    return page.back_to("/notifications/suppressions", said + (f" {known} were listed before." if known else ""))


@router.post("/remove", dependencies=[acting()])
async def remove(page: PagePart, form: FormPart, commands: SuppressionCommandsPart) -> Response:
    address = _checked(form.get("address"))
    if address is None:
        raise InvalidInput("Say which address to take off the list.")
    await commands.remove(address)
    return page.back_to("/notifications/suppressions", "It is off the list, and is told again from now on.")


def _checked(address: str | None) -> str | None:
    """The address if it is one, which alone can be listed."""
    try:
        return check_address((address or "").strip())
    except ValueError:
        return None


def _form_page(page: Page, form: Form | None, problems: Sequence[FieldProblem]) -> Response:
    """``form`` is what was sent, where something is wrong with it."""

    def value(name: str, default: str = "") -> str:
        return default if form is None else form.raw(name)

    return page.render(
        "suppression_new.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        fields={
            "addresses": value("addresses"),
            "reason": value("reason", SuppressionReason.MANUAL),
            "note": value("note"),
        },
        reasons=list(SuppressionReason),
        problems={one.field.partition("[")[0]: _said(one) for one in reversed(problems)},
    )


def _said(problem: FieldProblem) -> str:
    """Which address it is, by its place: what was sent stands beside it anyway."""
    place = _PLACE.fullmatch(problem.field)
    which = "It" if place is None else f"Number {int(place[1]) + 1} of them"
    return f"{which} {problem.message}. None was added."
