"""A delivery: one telling of one recipient about one event of one run of a job, and what each try makes of it.

The same idea as a job, once more: claim -> act -> conclude -> save. A provider acts and answers with an ``Attempt``;
``Delivery.conclude`` decides what follows. Nothing here can reach the job.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.retry import jitter_factor
from perdure.models.suppression import SuppressionReason

MAX_RETRY_AFTER_SECONDS = 3600.0
"""A provider's ``Retry-After`` is honoured up to an hour, as Svix does."""


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    """Written with the job's transition; no try yet."""
    SENDING = "SENDING"
    """A notifier holds it, under a lease, and is calling the provider."""
    RETRYING = "RETRYING"
    """A try failed; the next is due at ``next_attempt_at``."""
    SENT = "SENT"
    """The provider took it; whether it arrived is heard later, or never."""
    DELIVERED = "DELIVERED"
    """It arrived: the recipient's own server said so, to us or to the provider."""
    BOUNCED = "BOUNCED"
    """The provider took it, and the recipient's server refused it for good."""
    FAILED = "FAILED"
    """Given up, for ``reason``."""
    SKIPPED = "SKIPPED"
    """Nobody was to be told, for ``reason``; kept, so that the silence explains itself."""
    SUPPRESSED = "SUPPRESSED"
    """The recipient is on the suppression list, for ``reason``: nothing was sent."""
    CANCELLED = "CANCELLED"
    """Somebody called it off before it was sent."""


LIVE = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.RETRYING})
"""States that a notifier will lead out of; the others end a delivery."""


class SkipReason(StrEnum):
    """Why a declared channel is not used (``reason`` of a SKIPPED delivery)."""

    CHANNEL_DISABLED = "channel_disabled"
    """The channel is declared with ``enabled`` false."""
    EVENT_NOT_SELECTED = "event_not_selected"
    """``on`` does not list the event."""
    NO_RECIPIENT = "no_recipient"
    """The job's context names nobody to tell."""
    INVALID_RECIPIENT = "invalid_recipient"
    """What the context names is no address."""
    PROVIDER_NOT_CONFIGURED = "provider_not_configured"
    """The process that was to send lacks the provider's settings."""
    INVALID_DECLARATION = "invalid_declaration"
    """The stored declaration no longer fits the channel's options: it is older than the code."""
    RECIPIENT_NOT_ALLOWED = "recipient_not_allowed"
    """Only some recipients may be reached from here, and this is none of them."""
    EVALUATION_FAILED = "evaluation_failed"
    """The provider stumbled over the declaration; the intent's log line names the cause."""


class FailureReason(StrEnum):
    """Why a delivery was given up (``reason`` of a FAILED delivery)."""

    PERMANENT = "permanent"
    """The provider refused it, and would again."""
    EXHAUSTED = "exhausted"
    """Every try of the policy was used."""
    EXPIRED = "expired"
    """Too old to be worth telling."""
    RENDERING_FAILED = "rendering_failed"
    """The message could not be written."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """The place it was to go to is no more, or was switched off."""
    REJECTED = "rejected"
    """The provider took it and rejected it afterwards."""


class CancelReason(StrEnum):
    """Why a delivery is sent no more (``reason`` of a CANCELLED delivery)."""

    CALLED_OFF = "called_off"
    """Somebody called it off: by API, command or page; the log line `notification.cancelled` names who."""


class Verdict(StrEnum):
    """What one call of a provider came to."""

    ACCEPTED = "accepted"
    """The provider took it; whether it arrives is heard later."""
    DELIVERED = "delivered"
    """The recipient's own server took it: the answer is the receipt."""
    TRANSIENT = "transient"
    """It failed, and surely nothing was sent: safe to try again."""
    AMBIGUOUS = "ambiguous"
    """The request left us and no answer came: it may have been sent."""
    MISCONFIGURED = "misconfigured"
    """The provider refuses us (key, sender, inbox), not this message."""
    PERMANENT = "permanent"
    """The provider refuses this message."""
    GONE = "gone"
    """The place it was to go to says that it is no more, for any message."""


TAKEN = frozenset({Verdict.ACCEPTED, Verdict.DELIVERED})
"""Verdicts of a try that did what it was to do; all others failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of a provider, as it will be kept. Texts are bounded and hold no secret and no address.

    ``message`` is at most 500 characters, ``response_excerpt`` at most 512; ``retry_after_seconds`` is what the
    provider asked for. ``spares_destination``: it failed for the sake of this recipient, which says nothing of the
    others that are reached the same way.
    """

    verdict: Verdict
    status_code: int | None = None
    error_type: str | None = None
    message: str | None = None
    retry_after_seconds: float | None = None
    provider_message_id: str | None = None
    response_excerpt: str | None = None
    spares_destination: bool = False


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One telling, as it stands. ``recipient`` is whole here and masked wherever it is shown.

    ``snapshot`` is the job as the event found it (JSON, excerpts only): a later run of the job, or its removal,
    does not change what this delivery tells. ``subscription`` is the one that it was written for; None: for the job's
    own declaration. ``destination`` is what it fails and is limited together with. Of its
    ``attempts`` some are spared (they failed because the other side refused us, and do not count), and of some nobody
    knows what came of them: those are ambiguous. ``tried_at``: when the last of them began.
    """

    delivery_id: UUID
    job_id: UUID
    run: int
    event: str
    channel: str
    provider: str
    recipient: str | None
    status: DeliveryStatus
    snapshot: dict[str, Any]
    created_at: datetime
    next_attempt_at: datetime | None
    reason: str | None = None
    attempts: int = 0
    fence: int = 0
    provider_message_id: str | None = None
    finished_at: datetime | None = None
    resend_of: UUID | None = None
    subscription: str | None = None
    destination: str = ""
    spared_attempts: int = 0
    ambiguous_attempts: int = 0
    tried_at: datetime | None = None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Delivery:
        """The delivery with exactly these fields, all of them (see ``AT_FIRST``); the dictionary becomes its own.

        One is made for each job that tells somebody: field by field it took 5 us, so it takes 1.
        """
        delivery = object.__new__(cls)
        object.__setattr__(delivery, "__dict__", fields)
        return delivery

    @property
    def is_final(self) -> bool:
        return self.finished_at is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a try of it is to come, and none is under way."""
        return self.status in (DeliveryStatus.PENDING, DeliveryStatus.RETRYING)

    def cancel(self, now: datetime) -> Delivery:
        """Calls off one that waits. The fence rises, so that no try of before can write anything any more."""
        return replace(self._finish(DeliveryStatus.CANCELLED, CancelReason.CALLED_OFF, now), fence=self.fence + 1)

    def resend(self, delivery_id: UUID, now: datetime) -> Delivery:
        """A further delivery that tells the same once more, from its first try; it names the first of its chain."""
        return replace(
            self,
            delivery_id=delivery_id,
            status=DeliveryStatus.PENDING,
            reason=None,
            attempts=0,
            spared_attempts=0,
            ambiguous_attempts=0,
            tried_at=None,
            fence=0,
            provider_message_id=None,
            created_at=now,
            next_attempt_at=now,
            finished_at=None,
            resend_of=self.resend_of or self.delivery_id,
        )

    def conclude(
        self, attempt: Attempt, now: datetime, policy: DeliveryPolicy, *, excused_seconds: float = 0.0
    ) -> Delivery:
        """What a finished try (already counted in ``attempts``) makes of the delivery.

        ``excused_seconds`` of its age do not count: its destination was paused.
        """
        match attempt.verdict:
            case Verdict.ACCEPTED | Verdict.DELIVERED:
                status = DeliveryStatus.SENT if attempt.verdict is Verdict.ACCEPTED else DeliveryStatus.DELIVERED
                return self._finish(status, None, now, attempt.provider_message_id)
            case Verdict.PERMANENT:
                return self._finish(DeliveryStatus.FAILED, FailureReason.PERMANENT, now)
            case Verdict.GONE:
                return self._finish(DeliveryStatus.FAILED, FailureReason.ENDPOINT_DISABLED, now)
            case Verdict.TRANSIENT | Verdict.AMBIGUOUS:
                return self._try_again(attempt, now, policy, excused_seconds)
            case Verdict.MISCONFIGURED:
                return self._await_mending(now)
            case _:  # pragma: no cover
                assert_never(attempt.verdict)

    def skip(self, reason: SkipReason, now: datetime) -> Delivery:
        """Ends a claimed delivery without a try: nothing was sent, so the claim does not count as one."""
        return replace(self._finish(DeliveryStatus.SKIPPED, reason, now), attempts=self.attempts - 1)

    def suppress(self, reason: SuppressionReason, now: datetime) -> Delivery:
        """Ends a claimed delivery without a try: its recipient is on the suppression list."""
        return replace(self._finish(DeliveryStatus.SUPPRESSED, reason, now), attempts=self.attempts - 1)

    def overdue(self, now: datetime, policy: DeliveryPolicy, *, excused_seconds: float = 0.0) -> FailureReason | None:
        """Why a claimed delivery must not be tried any more; None while it may."""
        if self.attempts - self.spared_attempts > policy.max_attempts or policy.forbids(self.ambiguous_attempts):
            return FailureReason.EXHAUSTED
        return FailureReason.EXPIRED if now > self._expires_at(policy, excused_seconds) else None

    def fail(self, reason: FailureReason, now: datetime) -> Delivery:
        return self._finish(DeliveryStatus.FAILED, reason, now)

    def _try_again(self, attempt: Attempt, now: datetime, policy: DeliveryPolicy, excused_seconds: float) -> Delivery:
        doubts = self.ambiguous_attempts + (attempt.verdict is Verdict.AMBIGUOUS)
        tried = replace(self, ambiguous_attempts=doubts)
        number = self.attempts - self.spared_attempts
        if number >= policy.max_attempts or policy.forbids(doubts):
            return tried.fail(FailureReason.EXHAUSTED, now)
        delay = policy.delays_seconds[number - 1] * jitter_factor(self.delivery_id, self.attempts, policy.jitter)
        delay = max(delay, min(attempt.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))
        due = now + timedelta(seconds=delay)
        if due > self._expires_at(policy, excused_seconds):
            return tried.fail(FailureReason.EXPIRED, now)
        return replace(tried, status=DeliveryStatus.RETRYING, next_attempt_at=due)

    def _await_mending(self, now: datetime) -> Delivery:
        """Due at once: its circuit pauses, and holds it back until somebody has mended what is wrong with us."""
        spared = self.spared_attempts + 1
        return replace(self, spared_attempts=spared, status=DeliveryStatus.RETRYING, next_attempt_at=now)

    def _expires_at(self, policy: DeliveryPolicy, excused_seconds: float) -> datetime:
        return self.created_at + timedelta(seconds=policy.max_age_seconds + excused_seconds)

    def _finish(
        self, status: DeliveryStatus, reason: str | None, now: datetime, provider_message_id: str | None = None
    ) -> Delivery:
        return replace(
            self,
            status=status,
            reason=reason,
            finished_at=now,
            next_attempt_at=None,
            provider_message_id=provider_message_id,
        )


AT_FIRST = {field.name: field.default for field in fields(Delivery) if field.default is not MISSING}
"""The fields of a new delivery that need not be given."""
