"""URLs that are to be called: which are well-formed. Where one leads is judged when it is called, and not here."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StrictStr, WithJsonSchema

MAX_LENGTH = 2_000
"""Longer than any in use, and short enough to be part of an index."""
# Nothing that programs read differently: no space, no control, no backslash, no letter that only looks like one.
_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+")


def check_url(value: str) -> str:
    """``value``, unchanged; raises ``ValueError`` (which does not quote it) unless it can be called."""
    if len(value) <= MAX_LENGTH and _CHARACTERS.fullmatch(value) and _is_well_formed(value):
        return value
    raise ValueError(
        "must be a URL such as https://example.com/hooks: http or https, ASCII alone, at most "
        f"{MAX_LENGTH:,} characters, without a user name and without a #fragment"
    )


def _is_well_formed(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and "#" not in value
        and port != 0
    )


_SCHEMA = {
    "type": "string",
    "format": "uri",
    "maxLength": MAX_LENGTH,
    "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[!$-;=?-\[\]_a-z~]+$",
}
"""What JSON Schema can say of it: servers that do not have the model, but its schema alone, refuse at once by it."""

Url = Annotated[StrictStr, AfterValidator(check_url), WithJsonSchema(_SCHEMA)]
"""A string field that must be a URL and is kept as sent."""
