"""Signing in with an API key, and out again.

The key is kept by the browser alone, in a cookie that no script can read and no other site's page can send.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from perdure.core.authentication import Authentication
from perdure.core.browsers import SECURE_SESSION_COOKIE, SESSION_COOKIE
from perdure.dashboard.page import PagePart, local_path
from perdure.dashboard.parts import FormPart
from perdure.dashboard.refusals import SIGN_IN
from perdure.dashboard.routing import pages_router
from perdure.dashboard.viewing import for_everybody
from perdure.errors import Forbidden, Unauthenticated
from perdure.models.api_key import Scope

REMEMBERED_SECONDS = 30 * 86_400

router = pages_router()


@router.get(SIGN_IN, dependencies=[for_everybody()])
async def ask(request: Request, page: PagePart, next: str = "/") -> Response:  # noqa: A002 (a name of the address)
    authentication: Authentication = request.app.state.authentication
    if not await authentication.asks_for_keys():
        return RedirectResponse(local_path(next), 303)
    return page.render("sign_in.html", next=local_path(next), problem=None)


@router.post(SIGN_IN, dependencies=[for_everybody()])
async def sign_in(request: Request, page: PagePart, form: FormPart) -> Response:
    """Lets the browser keep a key that may look around."""
    authentication: Authentication = request.app.state.authentication
    destination = local_path(form.get("next") or "/")
    token = form.get("key") or ""
    try:
        await authentication.authorize(token, Scope.READ)
    except Unauthenticated:
        problem = "This key is not known here, or it was revoked or has expired."
    except Forbidden:
        problem = "This key lacks the scope `read`, without which there is nothing to see."
    else:
        response = RedirectResponse(destination, 303)
        name = SECURE_SESSION_COOKIE if page.is_encrypted else SESSION_COOKIE
        seconds = REMEMBERED_SECONDS if form.get("remember") else None
        page.keep(response, name, token, seconds=seconds, http_only=True)
        return response
    return page.render("sign_in.html", status=403, next=destination, problem=problem)


@router.post("/sign-out", dependencies=[for_everybody()])
async def sign_out() -> Response:
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(SESSION_COOKIE)
    response.delete_cookie(SECURE_SESSION_COOKIE, secure=True)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
