"""What of a provider's words may be kept: bounded, printable, without keys, with addresses masked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from perdure.models.outcome import storable
from perdure.schemas.addresses import mask

REDACTED = "[redacted]"

_CREDENTIAL = re.compile(r"(?i)\b(bearer|basic|api-token:?)\s+[A-Za-z0-9._~+/=-]+")
_AT = r"(?:@|%40|&#64;|&#x40;|\\u0040)"
_ADDRESS = re.compile(rf"(?i)([^\s@<>\"'(),:;\[\]\\]{{1,64}}){_AT}([^\s@<>\"'(),:;\[\]\\]{{1,253}})")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def redacted(text: str, limit: int, secrets: Iterable[str] = ()) -> str:
    """``text`` on one line, at most ``limit`` characters, with ``secrets``, credentials and addresses taken out.

    Redaction comes before the cut, so that no part of a secret is left at the edge.
    """
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    text = _CREDENTIAL.sub(lambda found: f"{found[1]} {REDACTED}", text)
    text = _ADDRESS.sub(lambda found: mask(f"{found[1]}@{found[2]}"), text)
    text = _UNPRINTABLE.sub(" ", storable(text)).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
