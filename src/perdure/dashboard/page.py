"""The page that a request asks for: what it is drawn with, and where an action leads back to.

An action ends in a redirection (so that a reload repeats nothing), and what is to be said of it travels in a cookie
that the next page reads and forgets.
"""

from __future__ import annotations

import base64
import binascii
import json
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from perdure.dashboard import assets, navigation
from perdure.dashboard.templating import environment
from perdure.dashboard.viewing import Viewer

SAID_COOKIE = "perdure_said"
THEME_COOKIE = "perdure_theme"
SHORTCUTS_COOKIE = "perdure_shortcuts"
THEMES = ("light", "dark")
TONES = ("good", "bad", "plain")
YEAR_SECONDS = 31_536_000


class Page:
    """Draws the answer to one request."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.viewer: Viewer = getattr(request.state, "viewer", Viewer())

    @classmethod
    def of(cls, request: Request) -> Page:
        return cls(request)

    @property
    def actor(self) -> str:
        """Who acts, as it is put on record."""
        return self.viewer.name

    def render(self, template: str, *, status: int = HTTPStatus.OK, **context: Any) -> HTMLResponse:
        """The page, whole. Each of the ``context`` is known to the template by its name."""
        said = self._said()
        html = (
            environment()
            .get_template(template)
            .render(
                viewer=self.viewer,
                now=self.request.app.state.database.clock.now(),
                here=self.request.url.path,
                theme=self._theme(),
                has_shortcuts=self.request.cookies.get(SHORTCUTS_COOKIE) != "off",
                navigation=navigation.entries(self.request.app),
                asset=assets.url,
                said=said,
                **context,
            )
        )
        response = HTMLResponse(html, status)
        if said is not None:
            response.delete_cookie(SAID_COOKIE)
        return response

    def back_to(self, path: str, said: str | None = None, *, tone: str = "good") -> Response:
        """Leads to a page of ours once something is done, and says there what was ``said``; ``tone``: one of TONES."""
        response = RedirectResponse(local_path(path), HTTPStatus.SEE_OTHER)
        if said is not None:
            text = base64.urlsafe_b64encode(json.dumps([tone, said]).encode()).decode()
            self.keep(response, SAID_COOKIE, text, seconds=60, http_only=True)
        return response

    def keep(self, response: Response, name: str, value: str, *, seconds: int | None, http_only: bool) -> None:
        """Lets the browser remember something, for this server alone."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self.is_encrypted, httponly=http_only, samesite="strict"
        )

    @property
    def is_encrypted(self) -> bool:
        """Whether the browser speaks TLS, with this server or with what stands before it."""
        state = self.request.app.state
        is_public = state.public_host is not None and self.request.url.hostname == state.public_host
        return self.request.url.scheme == "https" or (is_public and bool(state.is_public_encrypted))

    def _theme(self) -> str | None:
        chosen = self.request.cookies.get(THEME_COOKIE)
        return chosen if chosen in THEMES else None

    def _said(self) -> tuple[str, str] | None:
        sent = self.request.cookies.get(SAID_COOKIE)
        if sent is None:
            return None
        try:
            tone, text = json.loads(base64.urlsafe_b64decode(sent))
        except (ValueError, TypeError, binascii.Error):
            return None
        return (tone, str(text)[:1000]) if tone in TONES else None


def local_path(path: str) -> str:
    """The path if it leads to a page of ours, else the overview: nobody is to be led astray by a parameter."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


PagePart = Annotated[Page, Depends(Page.of)]
