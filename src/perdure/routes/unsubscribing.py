"""The page that a recipient comes to by the link in a mail, to say that they want no more of them (RFC 8058).

To look changes nothing, for programs that judge mails follow every link. A mail program's own button posts at once;
the button on the page posts the same.
"""

from __future__ import annotations

from functools import cache
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from perdure.core.feedback import FeedbackTaking
from perdure.core.notifications.unsubscribing import PATH, UnsubscribeLinks
from perdure.models.delivery import Delivery
from perdure.routes.authentication import open_to_all
from perdure.schemas.addresses import mask

router = APIRouter(include_in_schema=False)

STEPS = ("ask", "done", "unknown")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


@router.get(PATH + "{token}", dependencies=[open_to_all()])
async def ask(token: str, request: Request) -> HTMLResponse:
    """Whose mails are meant, and a button."""
    delivery_id, taking = _delivery_id(request, token), _taking(request)
    return _page("ask", None if delivery_id is None else await taking.delivery(delivery_id))


@router.post(PATH + "{token}", dependencies=[open_to_all()])
async def unsubscribe(token: str, request: Request) -> HTMLResponse:
    """Does it. Done twice, it is done once."""
    delivery_id, taking = _delivery_id(request, token), _taking(request)
    return _page("done", None if delivery_id is None else await taking.unsubscribe(delivery_id))


def _taking(request: Request) -> FeedbackTaking:
    return request.app.state.feedback_taking  # type: ignore[no-any-return]


def _delivery_id(request: Request, token: str) -> UUID | None:
    links: UnsubscribeLinks | None = request.app.state.unsubscribe_links
    return None if links is None else links.delivery_of(token)


def _page(step: str, delivery: Delivery | None) -> HTMLResponse:
    recipient = None if delivery is None or delivery.recipient is None else mask(delivery.recipient)
    html = page_of("unknown" if recipient is None else step, recipient)
    return HTMLResponse(html, status_code=404 if recipient is None else 200, headers=_HEADERS)


def page_of(step: str, recipient: str | None) -> str:
    """The page at one of ``STEPS``; ``recipient`` is masked, and None where the link is not known."""
    return _template().render(step=step, recipient=recipient)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("perdure.routes", "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("unsubscribe.html")
