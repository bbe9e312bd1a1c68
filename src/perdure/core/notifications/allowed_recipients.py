"""Who may be reached from here at all: for platforms that work on real data, and must not write to real people.

Off by default. Set, it is asked of every delivery right before it is sent, whatever the provider, its sandbox and the
job say; whoever is not allowed is a delivery that was SKIPPED, on record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from perdure.errors import ConfigurationError
from perdure.schemas.addresses import check_address

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
_ENDPOINT = re.compile(r"endpoint:[A-Za-z0-9._-]+")


class AllowedRecipients:
    """What PERDURE_ALLOWED_RECIPIENTS lists; everybody where it lists nothing.

    ``ada@example.com`` allows the address, ``@example.com`` every address of the domain, ``hooks.example.com`` every
    URL of the host, ``endpoint:orders`` the webhook endpoint of that name, ``slack`` the channel. Case does not matter.
    """

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self.listed = tuple(_checked(one) for one in listed)
        self._listed = frozenset(self.listed)

    @property
    def is_everybody(self) -> bool:
        return not self.listed

    def allows(self, recipient: str) -> bool:
        return self.is_everybody or not self._listed.isdisjoint(_names(recipient.lower()))


EVERYBODY = AllowedRecipients()


def _names(recipient: str) -> Iterable[str]:
    """All that a list could call the recipient."""
    if "://" in recipient:
        return (_host(recipient),)
    _, at, domain = recipient.rpartition("@")
    return (recipient, f"@{domain}") if at else (recipient,)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _checked(listed: str) -> str:
    if "*" in listed:  # an address may have one, but whoever writes it here means more than that
        raise _unreadable()
    if "@" in listed:
        try:
            check_address(f"anybody{listed}" if listed.startswith("@") else listed)
        except ValueError:
            raise _unreadable() from None
    elif not (_NAME.fullmatch(listed) or _ENDPOINT.fullmatch(listed)):
        raise _unreadable()
    return listed.lower()


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "PERDURE_ALLOWED_RECIPIENTS must list addresses (ada@example.com), domains (@example.com) and hosts "
        "(hooks.example.com), comma separated."
    )
