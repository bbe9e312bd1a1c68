"""Why a database did not let us in, and what to do about it, in words that hold no part of its URL."""

from __future__ import annotations

import socket
import ssl

import asyncpg

_REASONS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (asyncpg.InvalidAuthorizationSpecificationError,),
        "it refuses the user or the password",
        "Check both in PERDURE_DATABASE_URL.",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        "the server has no database of this name",
        "Create it (createdb), or name another in PERDURE_DATABASE_URL.",
    ),
    (
        (asyncpg.TooManyConnectionsError,),
        "all its connections are taken",
        "Raise max_connections of the server, lower PERDURE_DATABASE_POOL_SIZE, or run fewer processes.",
    ),
    ((asyncpg.CannotConnectNowError,), "the server is starting up or shutting down", "Try again in a moment."),
    (
        (asyncpg.InterfaceError,),
        "the driver does not take the URL",
        "Check the parameters after the ? in PERDURE_DATABASE_URL.",
    ),
    ((ssl.SSLError,), "TLS failed", "Check sslmode and the certificates named in PERDURE_DATABASE_URL."),
    ((socket.gaierror,), "its host name is not known", "Check the host in PERDURE_DATABASE_URL."),
    (
        (TimeoutError,),
        "it did not answer in time",
        "Check host and port in PERDURE_DATABASE_URL, and firewalls on the way.",
    ),
    (
        (ConnectionRefusedError, FileNotFoundError),
        "nothing listens there",
        "Start the server, or check host and port in PERDURE_DATABASE_URL.",
    ),
)


def explain(error: BaseException | None) -> tuple[str, str]:
    """What was found and what to do, for the cause of an ``Unavailable`` that a connection ended in."""
    for kinds, found, advice in _REASONS:
        if isinstance(error, kinds):
            return found, advice
    return f"it cannot be reached ({type(error).__name__})", "Check PERDURE_DATABASE_URL, and the server's log."
