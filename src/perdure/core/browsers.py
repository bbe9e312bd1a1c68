"""What browsers say of a request, and what follows from it: whose page may ask, and with which key.

A browser sends its cookies, and reaches this machine's own addresses, whatever page makes it. So it matters which page
that was: Fetch Metadata says it (`Sec-Fetch-Site`), or `Origin` where the connection is not encrypted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from perdure.core.loopback import is_loopback
from perdure.errors import Forbidden

SESSION_COOKIE = "perdure_session"
"""Holds the API key that somebody signed in with."""
SECURE_SESSION_COOKIE = f"__Host-{SESSION_COOKIE}"
"""The same over an encrypted connection: a browser takes it from nobody else, and sends it over no other."""
SAFE_METHODS = frozenset({"GET", "HEAD"})


def session_token(cookies: Mapping[str, str]) -> str | None:
    """The API key that the browser is signed in with."""
    return cookies.get(SECURE_SESSION_COOKIE) or cookies.get(SESSION_COOKIE) or None


def refuse_strangers(method: str, headers: Mapping[str, str], public_host: str | None) -> None:
    """While no key is asked for, a page that somebody looks at in a browser on this machine must not act for them.

    A name that an attacker points at this machine (DNS rebinding) shows in the Host header. Raises ``Forbidden``.
    """
    follows_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not follows_link:
        raise Forbidden("Another site's page may not use this server. Make a key with `perdure keys create`.")
    host, is_here = _host(headers.get("host", ""))
    if not is_here and host != public_host:
        raise Forbidden(
            "Without keys this server answers under this machine's own name alone. Make a key with `perdure keys "
            "create`, or set PERDURE_PUBLIC_URL to where people reach it."
        )


def refuse_other_pages(headers: Mapping[str, str], public_host: str | None) -> None:
    """Lets a write through that one of our own pages asks for, and no other. Raises ``Forbidden``."""
    site = headers.get("sec-fetch-site")
    origin = urlsplit(headers.get("origin", ""))
    is_ours = (
        site == "same-origin" if site is not None else _is_own(origin.netloc, origin.hostname, headers, public_host)
    )
    if not is_ours:
        raise Forbidden("Only a page of this server may do that. Open the page here, and do it there.")


def comes_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether somebody follows a link of another site's page: a strict cookie stays at home then."""
    return headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get("sec-fetch-mode") == "navigate"


def _is_own(netloc: str, hostname: str | None, headers: Mapping[str, str], public_host: str | None) -> bool:
    if not netloc:
        return False
    return netloc == headers.get("host") or (public_host is not None and hostname == public_host)


@lru_cache(maxsize=64)
def _host(sent: str) -> tuple[str, bool]:
    """The name in a Host header, and whether it always means this machine."""
    host = urlsplit(f"//{sent}").hostname or ""
    return host, is_loopback(host)
