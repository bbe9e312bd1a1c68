"""The local inbox: the mails that this server caught, as they arrived. In `perdure dev` and the demo only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.dashboard.caught_mail import CaughtMail
from perdure.dashboard.framed import framed
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import Reading
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import viewing
from perdure.errors import NotFound
from perdure.repositories.inbox_repository import KEPT_MESSAGES, InboxRepository

PAGE = 50

router = pages_router(prefix="/inbox")


class Part(StrEnum):
    """What of a mail is shown."""

    HTML = "html"
    TEXT = "text"
    HEADERS = "headers"


@router.get("", dependencies=[viewing()])
async def inbox(page: PagePart, connection: Reading, before: Annotated[UUID | None, Query()] = None) -> Response:
    found = await InboxRepository(connection).newest(PAGE + 1, before)
    return page.render(
        "inbox.html",
        mails=[CaughtMail.of(dict(row)) for row in found[:PAGE]],
        rest=found[PAGE - 1]["message_id"] if len(found) > PAGE else None,
        before=before,
        kept=KEPT_MESSAGES,
    )


@router.get("/{message_id}", dependencies=[viewing()])
async def mail(
    message_id: UUID, page: PagePart, connection: Reading, part: Annotated[Part | None, Query()] = None
) -> Response:
    found = await _found(connection, message_id)
    return page.render(
        "mail.html", mail=found, parts=tuple(Part), part=part or (Part.HTML if found.html else Part.TEXT)
    )


@router.get("/{message_id}/message", dependencies=[viewing()])
async def message(message_id: UUID, connection: Reading) -> Response:
    """The HTML of the mail, for the frame."""
    return framed((await _found(connection, message_id)).html)


async def _found(connection: AsyncConnection, message_id: UUID) -> CaughtMail:
    row = await InboxRepository(connection).get(message_id)
    if row is None:
        raise NotFound(f"There is no mail with this id. The inbox keeps the newest {KEPT_MESSAGES}.")
    return CaughtMail.of(dict(row))
