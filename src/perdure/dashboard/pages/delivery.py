"""One delivery: why it stands as it stands, each try, and the message; and sending it again, or calling it off.

Four statements at most, each by the delivery's own index. The message is written anew from what the delivery keeps of
its job, as it was when it was sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.notifications.previewing import MessagePreview, preview_of_delivery
from perdure.core.notifications.rendering import MessageRenderer
from perdure.dashboard.delivery_story import story_of
from perdure.dashboard.framed import framed
from perdure.dashboard.page import PagePart
from perdure.dashboard.parts import DeliveryCommandsPart, FormPart, Reading, RendererPart
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import acting, viewing
from perdure.errors import InvalidInput, NotFound
from perdure.models.delivery_explanation import DeliveryOnRecord
from perdure.models.submission import IdempotencyKey
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.repositories.inbox_repository import InboxRepository
from perdure.schemas.delivery import DeliveryAnswer, TryAnswer
from perdure.schemas.feedback import FeedbackAnswer

EMAIL = "email"
"""The channel whose message is a mail; others tell the same in their own form."""

router = pages_router(prefix="/notifications")


class Part(StrEnum):
    """What of the message is shown."""

    HTML = "html"
    TEXT = "text"
    HEADERS = "headers"
    FACTS = "facts"


@router.get("/{delivery_id}", dependencies=[viewing()])
async def delivery(
    delivery_id: UUID,
    page: PagePart,
    connection: Reading,
    renderer: RendererPart,
    part: Annotated[Part | None, Query()] = None,
) -> Response:
    found = await _found(connection, delivery_id)
    tries = [TryAnswer.model_validate(dict(row)) for row in await DeliveryQueries(connection).tries(delivery_id)]
    said = await FeedbackRepository(connection).of_delivery(delivery_id)
    feedback = [FeedbackAnswer.model_validate(dict(row)) for row in said]
    is_mail = found.channel == EMAIL
    parts = (Part.HTML, Part.TEXT, Part.HEADERS) if is_mail else (Part.TEXT, Part.FACTS)
    return page.render(
        "delivery.html",
        delivery=DeliveryAnswer.model_validate(found),
        is_waiting=found.is_waiting,
        is_final=found.is_final,
        job_type=found.snapshot.get("job_type"),
        snapshot=found.snapshot,
        steps=story_of(found, tries, feedback),
        message=_message(renderer, found),
        parts=parts,
        part=part if part in parts else parts[0],
        caught_as=await _caught_as(page, connection, found),
        once=uuid4(),
    )


@router.get("/{delivery_id}/message", dependencies=[viewing()])
async def message(delivery_id: UUID, connection: Reading, renderer: RendererPart) -> Response:
    """The HTML of the mail, for the frame."""
    written = _message(renderer, await _found(connection, delivery_id))
    if written is None:
        raise NotFound("The message of this delivery cannot be written.")
    return framed(written.written.html)


@router.post("/{delivery_id}/resend", dependencies=[acting()])
async def resend(delivery_id: UUID, page: PagePart, form: FormPart, commands: DeliveryCommandsPart) -> Response:
    """Once for each page that asked, however often its button is pressed."""
    try:
        once = UUID(form.get("once") or "")
    except ValueError:
        raise InvalidInput("This is no form of the dashboard's.") from None
    key = page.viewer.key
    caller = IdempotencyKey("" if key is None else key.key_id, f"dashboard:{once}")
    again, is_replay = await commands.resend_once(delivery_id, page.actor, caller)
    said = "It was sent again already; this is that delivery." if is_replay else "It is sent again, as this delivery."
    return page.back_to(f"/notifications/{again.delivery_id}", said)


@router.post("/{delivery_id}/cancel", dependencies=[acting()])
async def cancel(delivery_id: UUID, page: PagePart, commands: DeliveryCommandsPart) -> Response:
    await commands.cancel(delivery_id, page.actor)
    return page.back_to(f"/notifications/{delivery_id}", "It is called off: nothing is sent.")


async def _found(connection: AsyncConnection, delivery_id: UUID) -> DeliveryOnRecord:
    found = await DeliveryQueries(connection).get(delivery_id)
    if found is None:
        raise NotFound("There is no delivery with this id. A delivery is kept as long as its job.")
    return found


def _message(renderer: MessageRenderer, found: DeliveryOnRecord) -> MessagePreview | None:
    """None where it cannot be written: what went wrong is on record as the delivery's try."""
    try:
        return preview_of_delivery(renderer, found)
    except Exception:  # noqa: BLE001 (a snapshot of another version may lack anything; the page is there to say why)
        return None


async def _caught_as(page: PagePart, connection: AsyncConnection, found: DeliveryOnRecord) -> UUID | None:
    """The mail in the local inbox, where there is one and it still has it."""
    if "/inbox" not in page.request.app.state.dashboard_paths or found.provider_message_id is None:
        return None
    try:
        message_id = UUID(found.provider_message_id)
    except ValueError:
        return None
    caught = await InboxRepository(connection).get(message_id)
    return None if caught is None else message_id
