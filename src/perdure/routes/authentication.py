"""What a route asks of its caller: every route declares a scope, or that it is open (a test reads the router).

The check is the first thing that happens to a request: nothing of its body is read before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import Security
from fastapi.params import Security as SecurityParameter
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer

from perdure.core.authentication import Authentication
from perdure.core.browsers import refuse_strangers, session_token
from perdure.core.loopback import is_loopback
from perdure.errors import Unauthenticated, Unavailable
from perdure.models.api_key import ApiKey, Scope

LOOK_SECONDS = 2.0
"""How long a route that must answer without the database waits for it."""


class KeyWith(HTTPBearer):
    """The dependency that lets a request through when its key has ``scope``."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(
            scheme_name="key", bearerFormat="pdr_…", auto_error=False, description="asked for once a key was ever made"
        )
        self.scope = scope

    async def __call__(self, request: HTTPConnection) -> ApiKey | None:  # type: ignore[override]
        authentication: Authentication = request.app.state.authentication
        key = await authentication.authorize(self.token(request), self.scope)
        if key is None:
            _refuse_strangers(request)
        request.state.api_key = key
        return key

    def token(self, request: HTTPConnection) -> str | None:
        """What is sent to show who asks."""
        return _token(request)


class RememberedKeyWith(KeyWith):
    """Like ``KeyWith``; while the database does not answer, a key is judged by what was last read of it."""

    async def __call__(self, request: HTTPConnection) -> ApiKey | None:  # type: ignore[override]
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await super().__call__(request)
        except (Unavailable, TimeoutError):
            authentication: Authentication = request.app.state.authentication
            key = authentication.remembered(_token(request), self.scope)
            if key is None:
                _refuse_strangers(request)
            return key


class LocalOrKeyWith(KeyWith):
    """Like ``KeyWith``, but whoever calls from this machine needs no key."""

    async def __call__(self, request: HTTPConnection) -> ApiKey | None:  # type: ignore[override]
        listener, _ = request.scope["server"]
        if not is_loopback(listener):
            return await super().__call__(request)
        _refuse_strangers(request)
        return None


class SignedInOrKeyWith(KeyWith):
    """Like ``KeyWith``, for what is only looked at: whoever is signed in to the dashboard may, too."""

    def token(self, request: HTTPConnection) -> str | None:
        return _token(request) or session_token(request.cookies)


class Open:
    """The dependency of a route that anybody may ask."""

    async def __call__(self) -> None:
        return None


def needs(scope: Scope) -> SecurityParameter:
    """Declares what a route asks: ``dependencies=[needs(Scope.READ)]``."""
    return Security(KeyWith(scope), scopes=[scope.value])  # type: ignore[no-any-return]


def needs_as_remembered(scope: Scope) -> SecurityParameter:
    """Declares what a route asks that must answer while the database is away."""
    return Security(RememberedKeyWith(scope), scopes=[scope.value])  # type: ignore[no-any-return]


def needs_unless_local(scope: Scope) -> SecurityParameter:
    """Declares that only callers from other machines need a key."""
    return Security(LocalOrKeyWith(scope), scopes=[scope.value])  # type: ignore[no-any-return]


def needs_or_signed_in(scope: Scope) -> SecurityParameter:
    """Declares what a page asks that people look at from the dashboard."""
    return Security(SignedInOrKeyWith(scope), scopes=[scope.value])  # type: ignore[no-any-return]


def open_to_all() -> SecurityParameter:
    """Declares that a route asks for nothing: ``dependencies=[open_to_all()]``."""
    return Security(Open())  # type: ignore[no-any-return]


def _token(request: HTTPConnection) -> str | None:
    return bearer_token(request.headers.getlist("authorization"))


def bearer_token(sent: Sequence[str]) -> str | None:
    """The token in the `Authorization` headers of a request; None where there are none."""
    if not sent:
        return None
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated("Send one header `Authorization: Bearer pdr_…`, and no other form of it.")
    return token.strip()


def _refuse_strangers(request: HTTPConnection) -> None:
    refuse_strangers(request.scope["method"], request.headers, request.app.state.public_host)
