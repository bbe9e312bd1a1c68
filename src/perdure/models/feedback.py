"""Feedback: what is said of a message after it was sent, by its provider or its recipient; what it makes of a delivery.

It comes late, in any order, more than once, and now and then before we have noted that the message was sent. So it is
kept as it comes, and a delivery only ever rises by it: sent, then delivered, then what ends it (bounced, suppressed,
rejected). Of what ends it, the first holds. Whatever we believed before we heard of it (that a try had failed, say,
since its answer was lost) counts for less than the word of who had the message in hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from perdure.models.delivery import Delivery, DeliveryStatus, FailureReason
from perdure.models.suppression import SuppressionReason


class FeedbackKind(StrEnum):
    """What was said of a message."""

    SOFT_BOUNCED = "soft_bounced"
    """The recipient's server refused it for now; the provider tries again."""
    SUSPENDED = "suspended"
    """The provider holds it back for now."""
    DELIVERED = "delivered"
    """The recipient's server took it."""
    OPENED = "opened"
    """Somebody, or a mail program, looked at it."""
    CLICKED = "clicked"
    """Somebody followed a link in it."""
    UNSUBSCRIBED = "unsubscribed"
    """The recipient wants no more of them."""
    COMPLAINED = "complained"
    """The recipient called it spam."""
    BOUNCED = "bounced"
    """The recipient's server refused it for good."""
    SUPPRESSED = "suppressed"
    """The provider did not send it: the recipient is on the provider's own list."""
    REJECTED = "rejected"
    """The provider did not send it, for another reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One thing that was said of one delivery. ``event_id`` is the same whenever it is said again.

    ``detail`` is at most 500 characters, and holds no whole address; ``recipient`` is whom the sayer names, if anybody.
    """

    delivery_id: UUID
    event_id: str
    provider: str
    kind: FeedbackKind
    occurred_at: datetime
    detail: str | None = None
    recipient: str | None = None
    provider_message_id: str | None = None


SUPPRESSING: Mapping[FeedbackKind, SuppressionReason] = MappingProxyType(
    {
        FeedbackKind.BOUNCED: SuppressionReason.BOUNCED,
        FeedbackKind.COMPLAINED: SuppressionReason.COMPLAINED,
        FeedbackKind.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
    }
)
"""What puts the recipient on the suppression list, and why it says so."""

_End = tuple[DeliveryStatus, str | None]
_MEANING: Mapping[FeedbackKind, _End] = MappingProxyType(
    {
        FeedbackKind.SOFT_BOUNCED: (DeliveryStatus.SENT, None),
        FeedbackKind.SUSPENDED: (DeliveryStatus.SENT, None),
        FeedbackKind.DELIVERED: (DeliveryStatus.DELIVERED, None),
        FeedbackKind.OPENED: (DeliveryStatus.DELIVERED, None),
        FeedbackKind.CLICKED: (DeliveryStatus.DELIVERED, None),
        FeedbackKind.UNSUBSCRIBED: (DeliveryStatus.DELIVERED, None),
        FeedbackKind.COMPLAINED: (DeliveryStatus.DELIVERED, None),
        FeedbackKind.BOUNCED: (DeliveryStatus.BOUNCED, None),
        FeedbackKind.SUPPRESSED: (DeliveryStatus.SUPPRESSED, SuppressionReason.PROVIDER_LIST),
        FeedbackKind.REJECTED: (DeliveryStatus.FAILED, FailureReason.REJECTED),
    }
)


def hear(delivery: Delivery, feedback: Feedback, now: datetime) -> Delivery:
    """What ``feedback`` makes of ``delivery``; the same delivery where it tells nothing new.

    One that a notifier still holds is taken from it by the fence: what is known already is not told again.
    """
    status, reason = _MEANING[feedback.kind]
    if _rank(status, reason) <= _rank(delivery.status, delivery.reason):
        return delivery
    return replace(
        delivery,
        status=status,
        reason=reason,
        fence=delivery.fence if delivery.is_final else delivery.fence + 1,
        next_attempt_at=None,
        finished_at=delivery.finished_at or now,
        provider_message_id=delivery.provider_message_id or feedback.provider_message_id,
    )


def _rank(status: DeliveryStatus, reason: str | None) -> int:
    match status:
        case DeliveryStatus.BOUNCED | DeliveryStatus.SUPPRESSED:
            return 3
        case DeliveryStatus.FAILED if reason == FailureReason.REJECTED:
            return 3
        case DeliveryStatus.DELIVERED:
            return 2
        case DeliveryStatus.SENT:
            return 1
        case _:
            return 0
