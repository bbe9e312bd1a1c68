"""E-mail addresses: which are well-formed, and how they are shown.

A bare address by its form alone (RFC 5321, as email-validator reads it): no display name, no quotes, one address,
ASCII before the @. Nobody asks the DNS, and reserved domains (``.test``, ``.local``, ``localhost``) are well-formed:
they are where people try things out.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StrictStr, WithJsonSchema

_NEUTRAL = ".example.com"


def check_address(value: str) -> str:
    """``value``, unchanged; raises ``ValueError`` (which does not quote it) unless it is a bare address."""
    import email_validator  # slow to import, and not needed by every command

    try:
        # Under a domain of its own the address is judged by its form alone: the library refuses reserved domains, and
        # its list of them is shared with whoever else uses it in this process.
        email_validator.validate_email(
            f"{value}{_NEUTRAL}", check_deliverability=False, allow_smtputf8=False, strict=True
        )
    except email_validator.EmailNotValidError:
        raise ValueError("must be a bare e-mail address, such as name@example.com") from None
    return value


def mask(address: str) -> str:
    """``a***@e***.com``: enough to recognise an address one knows, too little to learn one."""
    local, _, domain = address.rpartition("@")
    name, _, top_level = domain.rpartition(".")
    shown = f"{name[:1]}***.{top_level}" if name else f"{domain[:1]}***"
    return f"{local[:1]}***@{shown}"


EmailAddress = Annotated[
    StrictStr, AfterValidator(check_address), WithJsonSchema({"type": "string", "format": "email"})
]
"""A string field that must be a bare address and is kept as sent."""
