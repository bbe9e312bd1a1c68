"""E-mail addresses: which are well-formed, and how they are shown.

A bare address by its form alone (RFC 5321, as email-validator reads it): no display name, no quotes, one address,
ASCII before the @. Nobody asks the DNS, and reserved domains (``.test``, ``.local``, ``localhost``) are well-formed:
they are where people try things out.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, StrictStr, WithJsonSchema

MAX_LENGTH = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets. Asked first: the library takes its time over megabytes."""
_NEUTRAL = ".example.com"
_TOP_LEVEL = re.compile(r"[^\W\d_]{2,24}|xn--[a-z0-9-]{1,59}", re.IGNORECASE)


def check_address(value: str) -> str:
    """``value``, unchanged; raises ``ValueError`` (which does not quote it) unless it is a bare address."""
    # The library refuses reserved domains, whatever is asked of it, and its list of them is shared with whoever else
    # uses it in this process. So an address that it refuses is judged once more, under a domain that is not reserved.
    if len(value) <= MAX_LENGTH and (_is_well_formed(value) or _is_well_formed(value + _NEUTRAL)):
        return value
    raise ValueError("must be a bare e-mail address, such as name@example.com")


@lru_cache(maxsize=1024)  # job after job names the same few, and a look at one takes a tenth of a millisecond
def _is_well_formed(value: str) -> bool:
    import email_validator  # slow to import, and not needed by every command

    try:
        email_validator.validate_email(
            value, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False, strict=True
        )
    except email_validator.EmailNotValidError:
        return False
    return True


def in_ascii(address: str) -> str:
    """``address`` as mail servers write it: its domain in ASCII. Raises ``ValueError`` where that cannot be."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        import idna  # as slow as the library that brings it

        domain = idna.encode(domain, uts46=True).decode()
    if not local.isascii():
        raise ValueError("the part before the @ must be ASCII")
    return f"{local}@{domain}"


def normalised(address: str) -> str:
    """What is the same for two spellings of one mailbox, where ``address`` is well-formed."""
    return in_ascii(address).lower()


def mask(address: str) -> str:
    """``a***@e***.com``: enough to recognise an address one knows, too little to learn one."""
    local, _, domain = address.rpartition("@")
    name, _, last = domain.rpartition(".")
    # What is no top-level domain may be the end of a URL, with a key in it.
    top_level = f".{last}" if name and _TOP_LEVEL.fullmatch(last) else ""
    return f"{local[:1]}***@{domain[:1]}***{top_level}"


EmailAddress = Annotated[
    StrictStr, AfterValidator(check_address), WithJsonSchema({"type": "string", "format": "email"})
]
"""A string field that must be a bare address and is kept as sent."""
