"""Reads Mailtrap's delivery webhooks: checks who sent them, and makes feedback of the events about our own mails.

The signature covers the body as it came, and no time: so an event counts once, by its id, and not when it is old.
Events about mails that others send through the same account, kinds that are newer than this code, whatever does not
fit: all that is passed over, for an answer other than 200 would only have Mailtrap send it all again, forty times.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perdure.core.notifications.providers.redaction import redacted
from perdure.errors import Forbidden, MalformedJSON, NotFound
from perdure.models.feedback import Feedback, FeedbackKind
from perdure.schemas import strict_json
from perdure.schemas.addresses import check_address

SIGNATURE_HEADER = "Mailtrap-Signature"
OLD = timedelta(days=7)
"""Events older than this are passed over: Mailtrap itself gives up after hours."""
MAX_DETAIL = 500
_PROVIDER = "mailtrap"

_KINDS = {
    "delivery": FeedbackKind.DELIVERED,
    "open": FeedbackKind.OPENED,
    "click": FeedbackKind.CLICKED,
    "unsubscribe": FeedbackKind.UNSUBSCRIBED,
    "spam": FeedbackKind.COMPLAINED,
    "spam complaint": FeedbackKind.COMPLAINED,
    "soft bounce": FeedbackKind.SOFT_BOUNCED,
    "bounce": FeedbackKind.BOUNCED,
    "suspension": FeedbackKind.SUSPENDED,
    "reject": FeedbackKind.REJECTED,
}
"""Mailtrap's names for them, which differ between its own APIs: there with underscores."""

_Short = Annotated[str, Field(min_length=1, max_length=200)]


class _Ours(BaseModel):
    """What a mail of ours carries along."""

    delivery_id: UUID


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    event: str
    event_id: _Short
    timestamp: Annotated[float, Field(ge=0, le=253_402_300_000)]
    """Seconds since 1970."""
    custom_variables: _Ours
    message_id: _Short | None = None
    email: str | None = None
    reason: str | None = None
    response: str | None = None
    response_code: str | int | None = None
    bounce_category: str | None = None

    @property
    def kind(self) -> FeedbackKind | None:
        kind = _KINDS.get(self.event.strip().lower().replace("_", " "))
        if kind is FeedbackKind.REJECTED and "suppress" in (self.reason or "").lower():
            return FeedbackKind.SUPPRESSED
        return kind

    @property
    def detail(self) -> str | None:
        code = None if (self.response or "").startswith(str(self.response_code)) else self.response_code
        said = (self.reason, self.bounce_category, code, self.response)
        return redacted(" ".join(str(part) for part in said if part), MAX_DETAIL) or None


class MailtrapFeedback:
    """``secrets`` (MAILTRAP_WEBHOOK_SECRET): one for each webhook that was made in Mailtrap; any of them will do."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def read(self, body: bytes, signature: str | None, now: datetime) -> list[Feedback]:
        """What the body says of deliveries of ours. It is JSON or JSON Lines, whatever its media type says.

        Raises ``NotFound`` where there is no secret, ``Forbidden`` for a signature made without one of them,
        ``MalformedJSON``.
        """
        if not self._secrets:
            raise NotFound("This server takes no feedback from Mailtrap. Set MAILTRAP_WEBHOOK_SECRET where it runs.")
        if not self._is_signed(body, signature or ""):
            raise Forbidden(
                f"The header {SIGNATURE_HEADER} is not that of a webhook whose secret is in MAILTRAP_WEBHOOK_SECRET."
            )
        read = (_feedback(event, now) for event in _events(body))
        return [one for one in read if one is not None]

    def _is_signed(self, body: bytes, signature: str) -> bool:
        made = (hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in self._secrets)
        return any(hmac.compare_digest(one.encode(), signature.encode()) for one in made)


def _events(body: bytes) -> list[Any]:
    """The events of a document, or of one in each line."""
    try:
        documents = [strict_json.decode(body)]
    except MalformedJSON:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        documents = [strict_json.decode(line) for line in lines]
    found: list[Any] = []
    for document in documents:
        match document:
            case {"events": list() as events}:
                found += events
            case _:
                found.append(document)
    return found


def _feedback(sent: Any, now: datetime) -> Feedback | None:
    try:
        event = _Event.model_validate(sent)
    except ValidationError:
        return None
    occurred_at = datetime.fromtimestamp(event.timestamp, UTC)
    if event.kind is None or occurred_at < now - OLD:
        return None
    return Feedback(
        delivery_id=event.custom_variables.delivery_id,
        event_id=event.event_id,
        provider=_PROVIDER,
        kind=event.kind,
        occurred_at=min(occurred_at, now),
        detail=event.detail,
        recipient=_address(event.email),
        provider_message_id=event.message_id,
    )


def _address(email: str | None) -> str | None:
    try:
        return None if email is None else check_address(email)
    except ValueError:
        return None
