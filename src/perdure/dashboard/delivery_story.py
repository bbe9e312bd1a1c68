"""A delivery's story as one row of steps: written, each try and what came of it, what was said of it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from perdure.models.delivery import Delivery, DeliveryStatus, Verdict
from perdure.models.feedback import FeedbackKind
from perdure.schemas.delivery import TryAnswer
from perdure.schemas.feedback import FeedbackAnswer

VERDICTS = {
    Verdict.ACCEPTED: ("good", "taken by the provider"),
    Verdict.DELIVERED: ("good", "arrived: the recipient's own server took it"),
    Verdict.TRANSIENT: ("again", "failed, and nothing was sent"),
    Verdict.AMBIGUOUS: ("again", "no answer came: it may have been sent"),
    Verdict.MISCONFIGURED: ("again", "the provider refuses us, not this message"),
    Verdict.PERMANENT: ("bad", "refused for good"),
    Verdict.GONE: ("bad", "the place it was to go to is no more"),
}
"""How a try is shown, and what it came to in words."""
KINDS = {
    FeedbackKind.SOFT_BOUNCED: ("again", "Refused for now"),
    FeedbackKind.SUSPENDED: ("again", "Held back for now"),
    FeedbackKind.DELIVERED: ("good", "Arrived"),
    FeedbackKind.OPENED: ("good", "Opened"),
    FeedbackKind.CLICKED: ("good", "A link in it was followed"),
    FeedbackKind.UNSUBSCRIBED: ("still", "Unsubscribed"),
    FeedbackKind.COMPLAINED: ("bad", "Called spam"),
    FeedbackKind.BOUNCED: ("bad", "Bounced"),
    FeedbackKind.SUPPRESSED: ("still", "Not sent: on the provider's own list"),
    FeedbackKind.REJECTED: ("bad", "Rejected afterwards"),
}
"""The same of what was said of it."""
_ENDS = {
    DeliveryStatus.FAILED: ("bad", "Given up"),
    DeliveryStatus.SKIPPED: ("still", "Skipped: nobody was told"),
    DeliveryStatus.SUPPRESSED: ("still", "Suppressed: nobody was told"),
    DeliveryStatus.CANCELLED: ("still", "Called off"),
}
"""Ends that no try and no feedback tells of by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened at one time, or is to. ``tried`` and ``said`` are what it is told from, if it is."""

    at: datetime
    tone: str
    title: str
    about: str = ""
    tried: TryAnswer | None = None
    said: FeedbackAnswer | None = None


def story_of(delivery: Delivery, tries: Sequence[TryAnswer], feedback: Sequence[FeedbackAnswer]) -> list[Step]:
    """In the order in which it happened; what is to come stands last."""
    begin = "Asked for once more" if delivery.resend_of else "Written"
    about = "" if delivery.resend_of else f"with the {delivery.event} of the job, in one transaction"
    steps = [Step(at=delivery.created_at, tone="plan", title=begin, about=about)]
    for one in tries:
        tone, words = VERDICTS[one.verdict]
        steps.append(Step(at=one.started_at, tone=tone, title=f"Try {one.number}", about=words, tried=one))
    for said in feedback:
        tone, words = KINDS[said.kind]
        steps.append(Step(at=said.occurred_at, tone=tone, title=words, said=said))
    if delivery.finished_at is not None and delivery.status in _ENDS:
        tone, words = _ENDS[delivery.status]
        steps.append(Step(at=_end(delivery, tries), tone=tone, title=words, about=_reason(delivery)))
    steps.sort(key=lambda step: step.at)  # stable: of one moment, what was told first happened first
    if delivery.is_waiting and delivery.next_attempt_at is not None:
        steps.append(Step(at=delivery.next_attempt_at, tone="wait", title="The next try" if tries else "The first try"))
    return steps


def _end(delivery: Delivery, tries: Sequence[TryAnswer]) -> datetime:
    """When it ended: never before the try that ended it."""
    last = [one.started_at + timedelta(milliseconds=one.duration_ms) for one in tries[-1:]]
    return max([delivery.finished_at or delivery.created_at, *last])


def _reason(delivery: Delivery) -> str:
    return f"({delivery.reason.replace('_', ' ')})" if delivery.reason else ""
