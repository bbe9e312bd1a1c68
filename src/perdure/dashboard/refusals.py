"""What goes wrong, as people who look at pages are told it.

Pages come here by their routes (``routing``). So does whatever else a browser asks for and no page answers: an address
that there is none of, a form's address without its form, the reference of the API without a key. The API itself
answers problem documents, whoever asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from perdure.core.browsers import SAFE_METHODS, comes_from_elsewhere
from perdure.dashboard.page import Page, local_path
from perdure.dashboard.viewing import PageFor
from perdure.errors import PerdureError, Unauthenticated
from perdure.models.api_key import Scope

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
OF_PROGRAMS = ("/v1", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Addresses below which nobody looks at pages."""
WENT_WRONG = "Something went wrong here; the server's log has the cause."
_SAID = {
    HTTPStatus.NOT_FOUND: "There is no page at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "A button leads to this address; by itself it shows nothing.",
}

Handler = Callable[[Request, Any], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Answers browsers by pages where no page does it itself; the handlers of ``app`` answer all others as before."""
    for kind, as_page in ((HTTPException, _http), (PerdureError, refusal), (Exception, unexpected)):
        app.add_exception_handler(kind, _for_browsers(as_page, app.exception_handlers[kind]))


def refusal(request: Request, error: PerdureError) -> Response:
    """The page that says what an error says; whoever is not signed in is sent to where that is done."""
    if isinstance(error, Unauthenticated):
        return _to_sign_in(request)
    return _page(request, request.app.state.status_of(type(error)), error.detail)


def unexpected(request: Request, error: Exception) -> Response:
    """The page that says that we are at fault. The cause is logged."""
    request.app.state.note_unexpected(request.method, request.url.path, error)
    return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, WENT_WRONG)


def strict(response: Response) -> Response:
    """The answer with the headers of every page."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _for_browsers(as_page: Callable[[Request, Any], Response], otherwise: Any) -> Handler:
    async def answer(request: Request, error: Any) -> Response:
        if not _is_of_pages(request):
            answered: Response = await otherwise(request, error)
            return answered
        with suppress(PerdureError):  # whoever may not look is told no less, only not by name
            await PageFor(Scope.READ)(request)
        return strict(as_page(request, error))

    return answer


def _is_of_pages(request: Request) -> bool:
    """Whether somebody looks, at an address of pages."""
    path = request.url.path
    is_of_programs = any(path == one or path.startswith(f"{one}/") for one in OF_PROGRAMS)
    return request.method in SAFE_METHODS and not is_of_programs and "text/html" in request.headers.get("accept", "")


def _http(request: Request, error: HTTPException) -> Response:
    return _page(request, error.status_code, _SAID.get(HTTPStatus(error.status_code), str(error.detail)))


def _page(request: Request, status: int, detail: str) -> Response:
    return Page.of(request).render(
        "error.html",
        status=status,
        number=status,
        title=HTTPStatus(status).phrase,
        detail=detail,
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
