"""What became of a claimed delivery, as it is put on record, and how it is said aloud."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from perdure.models.circuit import Call
from perdure.models.delivery import Attempt, Delivery, Verdict
from perdure.repositories.delivery_claims import ClaimedDelivery
from perdure.repositories.delivery_repository import Try
from perdure.schemas.recipients import shown
from perdure.signals import NotificationFailed, NotificationSettled, NotificationTried


@dataclass(frozen=True, slots=True)
class Concluded:
    """A delivery after it was in hand. ``one_try`` is what was tried; None: it ended without.

    ``call`` is the one that it was claimed for, and ``answer`` what that came to; None: nobody was called.
    """

    delivery: Delivery
    call: Call
    one_try: Try | None = None
    answer: Attempt | None = None


def call_of(delivery: Delivery, claimed: ClaimedDelivery) -> Call:
    return Call(
        provider=delivery.provider,
        destination=delivery.destination,
        was_probe=claimed.is_probe,
        was_troubled=claimed.is_troubled,
    )


def tried(delivery: Delivery, started_at: datetime, seconds: float, attempt: Attempt) -> Try:
    return Try(
        delivery_id=delivery.delivery_id,
        number=delivery.attempts,
        provider=delivery.provider,
        started_at=started_at,
        duration_ms=round(seconds * 1000),
        attempt=attempt,
    )


def lost_try(claimed: ClaimedDelivery, now: datetime) -> Try:
    """The record of a try whose sender vanished: when it began, and, as nobody saw it end, no duration."""
    lost = Attempt(
        verdict=Verdict.AMBIGUOUS,
        error_type="sender_lost",
        message="the process that was sending ended without a word; it may have been sent",
    )
    return Try(
        delivery_id=claimed.delivery.delivery_id,
        number=claimed.delivery.attempts - 1,
        provider=claimed.delivery.provider,
        started_at=claimed.lost_try_at or now,
        duration_ms=0,
        attempt=lost,
    )


def said_of_try(one_try: Try) -> NotificationTried:
    return NotificationTried(one_try.provider, one_try.attempt.verdict.value, one_try.duration_ms / 1000)


def said_of_end(delivery: Delivery, finished_at: datetime) -> NotificationSettled:
    return NotificationSettled(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        status=delivery.status.value,
        reason=delivery.reason,
        duration_seconds=max((finished_at - delivery.created_at).total_seconds(), 0.0),
    )


def said_of_failure(delivery: Delivery, one_try: Try) -> NotificationFailed:
    attempt = one_try.attempt
    return NotificationFailed(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        recipient=shown(delivery.channel, delivery.recipient or ""),
        attempt=one_try.number,
        error_type=attempt.error_type or attempt.verdict.value,
        message=attempt.message or "",
        final=delivery.finished_at is not None,
    )
