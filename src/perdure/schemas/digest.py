"""The digest fields of RFC 9530, as far as we speak them: SHA-256. Other algorithms in them are passed over."""

from __future__ import annotations

import base64
import binascii
import re

_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):\s*(?=$|[,;])")
_NAMED = re.compile(r"(?:^|,)\s*sha-256\b")


def write_digest(sha256: str) -> str:
    """The field's value for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def read_digest(field: str) -> str | None:
    """The SHA-256 in hex that the field names, or None. Raises ``ValueError`` for one that is malformed."""
    if not _NAMED.search(field):
        return None
    found = _SHA256.findall(field)
    try:
        digest = base64.b64decode(found[-1], validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise ValueError("must be sha-256=:…:, with the SHA-256 of the body in base64 between the colons")
    return digest.hex()
