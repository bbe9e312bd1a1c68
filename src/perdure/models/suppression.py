"""The suppression list: addresses that nothing is sent to, whoever asks for it, and why each is on it.

It is the platform's own, and asked right before a message is sent: whoever bounced, complained or unsubscribed is not
bothered by the next job that names them, whichever provider would carry the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class SuppressionReason(StrEnum):
    """Why nothing is sent to a recipient (``reason`` of a SUPPRESSED delivery)."""

    BOUNCED = "bounced"
    """The recipient's server refused a message for good."""
    COMPLAINED = "complained"
    """The recipient called a message spam."""
    UNSUBSCRIBED = "unsubscribed"
    """The recipient wants no more of them."""
    MANUAL = "manual"
    """Somebody put the address on the list."""
    PROVIDER_LIST = "provider_list"
    """The provider keeps a list of its own, and the recipient is on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One address on the list. ``added_by``: the name of an API key, a provider, or ``recipient``.

    ``delivery_id`` is the delivery whose feedback put it there, if one did.
    """

    suppression_id: UUID
    address: str
    reason: SuppressionReason
    added_by: str
    created_at: datetime
    note: str | None = None
    delivery_id: UUID | None = None


def listed_as(recipient: str) -> str:
    """How the list spells ``recipient``: upper and lower case make no two people of one, whatever RFC 5321 allows."""
    return recipient.lower()
