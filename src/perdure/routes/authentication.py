"""What a route asks of its caller: every route declares a scope, or that it is open (a test reads the router).

The check is the first thing that happens to a request: nothing of its body is read before it.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.params import Security as SecurityParameter
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer

from perdure.core.authentication import Authentication
from perdure.core.loopback import is_loopback
from perdure.errors import Forbidden, Unauthenticated, Unavailable
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
        key = await authentication.authorize(_token(request), self.scope)
        if key is None:
            _refuse_strangers(request)
        request.state.api_key = key
        return key


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


def open_to_all() -> SecurityParameter:
    """Declares that a route asks for nothing: ``dependencies=[open_to_all()]``."""
    return Security(Open())  # type: ignore[no-any-return]


def _token(request: HTTPConnection) -> str | None:
    sent = request.headers.getlist("authorization")
    if not sent:
        return None
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated("Send one header `Authorization: Bearer pdr_…`, and no other form of it.")
    return token.strip()


def _refuse_strangers(request: HTTPConnection) -> None:
    """While no key is asked for, a page that somebody looks at in a browser on this machine must not act for them.

    Browsers say where a request comes from (Fetch Metadata); a name that an attacker points at this machine (DNS
    rebinding) shows in the Host header.
    """
    follows_link = request.scope["method"] == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site") and not follows_link:
        raise Forbidden("Another site's page may not use this server. Make a key with `perdure keys create`.")
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(host) and host != request.app.state.public_host:
        raise Forbidden(
            "Without keys this server answers under this machine's own name alone. Make a key with `perdure keys "
            "create`, or set PERDURE_PUBLIC_URL to where people reach it."
        )
