"""Who looks, and what they may: every page declares the scope that it asks for, or that it is open.

The cookie of the session holds the API key, so that a revoked one ends the session within a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from perdure.core.authentication import Authentication
from perdure.core.browsers import SAFE_METHODS, refuse_other_pages, refuse_strangers, session_token
from perdure.errors import Forbidden
from perdure.models.api_key import ApiKey, Scope

LOCAL = "local"
"""Who acts where no API key is asked for."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page. ``key`` is None where no keys are asked for, and for who is not signed in."""

    key: ApiKey | None = None
    is_let_in: bool = False

    @property
    def name(self) -> str:
        return LOCAL if self.key is None else self.key.name

    def may(self, scope: str) -> bool:
        """Whether they may do what asks for ``scope``; what they may not do is not offered."""
        return self.is_let_in and (self.key is None or self.key.allows(Scope(scope)))


class PageFor:
    """The dependency that lets a request through when its session's key has ``scope``."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        public_host = request.app.state.public_host
        authentication: Authentication = request.app.state.authentication
        token = session_token(request.cookies)
        try:
            key = await authentication.authorize(token, self.scope)
        except Forbidden:
            request.state.viewer = await _onlooker(authentication, token)
            raise
        if key is None:
            refuse_strangers(request.method, request.headers, public_host)
        if request.method not in SAFE_METHODS:
            refuse_other_pages(request.headers, public_host)
        request.state.viewer = Viewer(key, is_let_in=True)


async def _onlooker(authentication: Authentication, token: str | None) -> Viewer:
    """Who may not do what they asked for, but may look: the page that says so is theirs like any other."""
    try:
        return Viewer(await authentication.authorize(token, Scope.READ), is_let_in=True)
    except Forbidden:
        return Viewer()


class PageForAll:
    """The dependency of a page that anybody may see; what it changes concerns their own browser alone."""

    async def __call__(self, request: Request) -> None:
        if request.method not in SAFE_METHODS:
            refuse_other_pages(request.headers, request.app.state.public_host)
        request.state.viewer = Viewer()


def viewing(scope: Scope = Scope.READ) -> Dependency:
    """Declares what a page asks of its viewer: ``dependencies=[viewing()]``."""
    return Depends(PageFor(scope))  # type: ignore[no-any-return]


def acting(scope: Scope = Scope.OPERATE) -> Dependency:
    """Declares what an action asks: the same, by the name that reads right."""
    return viewing(scope)


def for_everybody() -> Dependency:
    """Declares that a page asks for nothing."""
    return Depends(PageForAll())  # type: ignore[no-any-return]
