"""How an API key is written: ``pdr_<public id>_<secret><checksum>``.

The prefix lets scanners of leaked secrets find it; the checksum tells a mistyped key from a wrong one without the
database (both as GitHub's tokens have them). The secret has 256 random bits, so one round of SHA-256 is hash enough.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 12
_SECRET_LENGTH = 43
"""62^43 is just above 2^256."""
_CHECKSUM_LENGTH = 6
"""62^6 is just above 2^32, the range of CRC-32."""
_FORM = re.compile(rf"(pdr_([0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{6}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """What is read off a well-formed key: its public id, and the hash to compare with the stored one."""

    key_id: str
    secret_hash: bytes


def generate_key() -> str:
    """A new key, for its owner alone; store what ``read_key`` gives."""
    body = f"pdr_{_random(_ID_LENGTH)}_{_random(_SECRET_LENGTH)}"
    return body + _checksum(body)


def read_key(text: str) -> PresentedKey | None:
    """None when ``text`` is no key: another form, or mistyped."""
    form = _FORM.fullmatch(text)
    if form is None or form[3] != _checksum(form[1]):
        return None
    return PresentedKey(form[2], hashlib.sha256(text.encode()).digest())


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
