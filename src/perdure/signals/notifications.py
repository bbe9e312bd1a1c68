"""What happened to notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from perdure.signals.hub import Signal


@dataclass(frozen=True, slots=True)
class NotificationIntended(Signal):
    """Who is to be told of a job's event: per channel ``PENDING`` or ``SKIPPED:<reason>``. After the commit.

    ``subscription`` asks for it; None: the job itself does.
    """

    job_id: UUID
    event: str
    channels: Mapping[str, str]
    cause: str | None = None
    subscription: str | None = None


@dataclass(frozen=True, slots=True)
class NotificationSettled(Signal):
    """A delivery is sent, given up or skipped, ``duration_seconds`` after it was written: 0 if it was born skipped.

    After the commit.
    """

    delivery_id: UUID
    job_id: UUID
    provider: str
    status: str
    reason: str | None
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class FeedbackHeard(Signal):
    """A provider, or the recipient, said something of a message after it was sent; ``status`` is its delivery's now.

    After the commit, once for each event. ``detail`` holds no whole address.
    """

    delivery_id: UUID
    job_id: UUID
    provider: str
    kind: str
    status: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class EndpointChanged(Signal):
    """A webhook endpoint was added, moved, rotated, disabled, enabled, recovered or removed. After the commit.

    ``by`` is who did it; None: calls to it came to nothing. ``reason`` is why it is disabled.
    """

    endpoint: str
    change: str
    by: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NotificationTried(Signal):
    """A provider was called for a delivery, and what the call came to (a ``Verdict``), after so many seconds."""

    provider: str
    verdict: str
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class NotificationResent(Signal):
    """Somebody had a finished delivery sent again; the ids are those of the further one. After the commit."""

    delivery_id: UUID
    job_id: UUID
    provider: str
    by: str


@dataclass(frozen=True, slots=True)
class NotificationsResent(Signal):
    """Somebody had many finished deliveries sent again. After the commit of each batch of them."""

    count: int
    by: str


@dataclass(frozen=True, slots=True)
class NotificationCancelled(Signal):
    """Somebody called off a delivery that waited. After the commit."""

    delivery_id: UUID
    job_id: UUID
    provider: str
    by: str


@dataclass(frozen=True, slots=True)
class NotificationFailed(Signal):
    """One try of a delivery failed. ``message`` holds no secret and no address; ``recipient`` is masked."""

    delivery_id: UUID
    job_id: UUID
    provider: str
    recipient: str
    attempt: int
    error_type: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class CircuitChanged(Signal):
    """A destination of a provider is called no more (OPEN, PAUSED), or again (CLOSED). After the commit.

    ``state`` it came to, ``before`` that; the error is the last one. ``by`` is who closed it, None: its probe did.
    """

    provider: str
    destination: str
    state: str
    before: str
    status_code: int | None
    error_type: str | None
    message: str | None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class TemplateFailed(Signal):
    """A template of the operator's could not be used for a message; the built-in one took its place."""

    template: str
    error_type: str
