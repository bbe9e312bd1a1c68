"""What every page has in common as a route: strict headers, and errors answered as pages.

A page asks for what it needs like any route (``viewing``); whoever is not signed in is sent to where that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from perdure.core.browsers import SAFE_METHODS, comes_from_elsewhere
from perdure.dashboard.page import Page, local_path
from perdure.errors import InvalidInput, PerdureError, Unauthenticated

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, unless it says otherwise itself. (Without any referrer no form could show that it is ours.)"""
SIGN_IN = "/sign-in"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route of the dashboard."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except RequestValidationError:
                response = _refused(
                    request, InvalidInput("The address of this page is not right: a value in it is none.")
                )
            except Unauthenticated:
                response = _to_sign_in(request)
            except PerdureError as error:
                response = _refused(request, error)
            except Exception as error:  # noqa: BLE001 (noted as for any route, and answered as a page)
                request.app.state.note_unexpected(request.method, request.url.path, error)
                response = _refused(request, PerdureError("Something went wrong here; the server's log has the cause."))
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return answer


def pages_router(**options: Any) -> APIRouter:
    """Where a module of pages registers them."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, **options)


def _refused(request: Request, error: PerdureError) -> Response:
    status = request.app.state.status_of(type(error))
    return Page.of(request).render(
        "error.html",
        status=status,
        number=status,
        title=HTTPStatus(status).phrase,
        detail=error.detail,
        back=_back(request),
    )


def _to_sign_in(request: Request) -> Response:
    """Where to sign in; first of all anew to the same page, now from one of ours, if a link led here from elsewhere."""
    if request.method not in SAFE_METHODS:
        return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    here = local_path(_here(request))
    if comes_from_elsewhere(request.headers):
        return Page.of(request).render("arriving.html", to=here)
    return RedirectResponse(SIGN_IN if here == "/" else f"{SIGN_IN}?next={quote(here, safe='')}", HTTPStatus.SEE_OTHER)


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _back(request: Request) -> str | None:
    """The page of ours that led here."""
    referrer = urlsplit(request.headers.get("referer", ""))
    if referrer.netloc != request.headers.get("host") or not referrer.path.startswith("/"):
        return None
    return referrer.path + (f"?{referrer.query}" if referrer.query else "")
