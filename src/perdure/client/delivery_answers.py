"""What a server answers about notifications, as types like those of ``answers``."""

from __future__ import annotations

from typing import Any, TypedDict


class Delivery(TypedDict):
    """One telling of one recipient (masked) about one event of a job; ``explanation`` says why it stands so."""

    delivery_id: str
    job_id: str
    run: int
    event: str
    channel: str
    provider: str
    recipient: str | None
    status: str
    reason: str | None
    attempts: int
    next_attempt_at: str | None
    provider_message_id: str | None
    created_at: str
    finished_at: str | None
    resend_of: str | None
    subscription: str | None
    last_error: str | None
    circuit: str | None
    held_until: str | None
    explanation: str


class Try(TypedDict):
    """One try of a delivery."""

    number: int
    started_at: str
    duration_ms: int
    provider: str
    verdict: str
    status_code: int | None
    error_type: str | None
    message: str | None
    provider_message_id: str | None


class Feedback(TypedDict):
    """What was said of a message after it was sent."""

    provider: str
    kind: str
    occurred_at: str
    received_at: str
    detail: str | None


class DeliveryDetail(Delivery):
    """A delivery with every try, and what was said of it since."""

    tries: list[Try]
    feedback: list[Feedback]


class Suppression(TypedDict):
    """An address that nothing is sent to."""

    address: str
    reason: str
    note: str | None
    added_by: str
    delivery_id: str | None
    created_at: str


class SuppressionsAdded(TypedDict):
    """How many addresses were listed, and how many were before."""

    added: int
    known: int


class Resent(TypedDict):
    """What a batch of deliveries that were to be sent again came to; ``next_cursor`` None: that was all."""

    matched: int
    resent: int
    next_cursor: str | None


class MessagePreview(TypedDict):
    """What would be said of an event of a job; ``templates`` names those it is from."""

    event: str
    job_type: str
    subject: str
    text: str
    html: str
    templates: dict[str, str]


class Mail(TypedDict):
    """A mail that the local inbox caught; ``mail`` is the body that was sent to Mailtrap's API."""

    message_id: str
    received_at: str
    mail: dict[str, Any]
