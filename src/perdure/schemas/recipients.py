"""How a recipient is shown: enough to recognise one that is known, too little to reach or to learn one.

An address loses all but its first letters. Of a URL, whose path and query may hold a key, scheme and host stay. What
names no person is shown as it is: a named endpoint (``endpoint:billing``), and a channel that leads to one place.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ValidationInfo

from perdure.schemas.addresses import mask

ENDPOINT = "endpoint:"
"""What the recipient begins with that names an endpoint of the operator."""
_EMAIL = "email"
_HIDDEN = "***"


def shown(channel: str, recipient: str) -> str:
    """``recipient`` of a delivery by ``channel``, for an answer or a log line. What was shown is shown as it is."""
    if channel == _EMAIL or ("@" in recipient and "://" not in recipient):
        return mask(recipient)
    if recipient == channel or recipient.startswith(ENDPOINT):
        return recipient
    if "://" in recipient:
        return _origin(recipient)
    return f"{recipient[:1]}{_HIDDEN}"


def _origin(url: str) -> str:
    """``https://hooks.example.com/…``, without a user or password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _HIDDEN
    if not host:
        return _HIDDEN
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}/…"


def _shown(recipient: str | None, info: ValidationInfo) -> str | None:
    return None if recipient is None else shown(info.data.get("channel", ""), recipient)


Shown = Annotated[str | None, BeforeValidator(_shown)]
"""The recipient in an answer whose field ``channel`` stands before it."""
