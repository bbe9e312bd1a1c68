"""A webhook endpoint: a place to call that the operator gave a name, with secrets of its own that sign for it.

A job names it and knows neither its URL nor its secrets, so both can change while deliveries wait. One that is no more,
or that takes nothing for days, is disabled; what is told to it then fails at once, until somebody enables it.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

GRACE = timedelta(hours=24)
"""How long a secret still signs, beside its successor, once it is replaced."""
FAILING_DAYS = 5
"""For so long nothing but failures, and it is disabled, as Svix does."""
MAX_SECRETS = 5
"""So many sign at a time: each makes the header longer."""
_SECRET_BYTES = 32
_RECIPIENT = "endpoint:"


class EndpointState(StrEnum):
    ACTIVE = "active"
    """It is called."""
    DISABLED = "disabled"
    """It is not, for ``reason``."""


class DisabledReason(StrEnum):
    """Why an endpoint is disabled."""

    GONE = "gone"
    """It answered 410: it is there no more."""
    FAILING = "failing"
    """It took nothing for five days."""
    BY_HAND = "by_hand"
    """Somebody disabled it."""


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """``whsec_`` and base64, as Standard Webhooks has it; signs until ``until``; None: until it is replaced."""

    text: str = field(repr=False)
    until: datetime | None = None

    @classmethod
    def new(cls) -> EndpointSecret:
        return cls(f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """``secrets`` are the newest first. ``failing_since``: nothing came through since then, and something failed."""

    name: str
    url: str
    secrets: tuple[EndpointSecret, ...]
    created_at: datetime
    updated_at: datetime
    set_by: str
    state: EndpointState = EndpointState.ACTIVE
    reason: DisabledReason | None = None
    disabled_at: datetime | None = None
    failing_since: datetime | None = None

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign at ``now``."""
        return tuple(one.text for one in self.secrets if one.until is None or now < one.until)

    @property
    def former_secret_until(self) -> datetime | None:
        """When the last of the secrets that are replaced will have ceased to sign."""
        return max((one.until for one in self.secrets if one.until is not None), default=None)

    def rotated(self, secret: EndpointSecret, now: datetime, by: str) -> WebhookEndpoint:
        """With ``secret``; the one before it signs as well for ``GRACE``."""
        former = (one if one.until is not None else replace(one, until=now + GRACE) for one in self.secrets)
        kept = [one for one in former if one.until is not None and now < one.until]
        return replace(self, secrets=(secret, *kept)[:MAX_SECRETS], updated_at=now, set_by=by)

    def moved(self, url: str, now: datetime, by: str) -> WebhookEndpoint:
        """At another URL; what was known of the one before is not held against it."""
        return replace(self, url=url, failing_since=None, updated_at=now, set_by=by)

    def disabled(self, now: datetime, by: str) -> WebhookEndpoint:
        """Disabled by hand; one that is disabled already stays as it is."""
        if self.state is EndpointState.DISABLED:
            return self
        reason = DisabledReason.BY_HAND
        return replace(self, state=EndpointState.DISABLED, reason=reason, disabled_at=now, updated_at=now, set_by=by)

    def enabled(self, now: datetime, by: str) -> WebhookEndpoint:
        """Called again, with nothing held against it."""
        if self.state is EndpointState.ACTIVE:
            return self
        return replace(
            self,
            state=EndpointState.ACTIVE,
            reason=None,
            disabled_at=None,
            failing_since=None,
            updated_at=now,
            set_by=by,
        )


def recipient_of(name: str) -> str:
    """How a delivery names an endpoint as its recipient."""
    return f"{_RECIPIENT}{name}"


def endpoint_of(recipient: str | None) -> str | None:
    """The name of the endpoint that is the recipient; None when it is none."""
    if recipient is None or not recipient.startswith(_RECIPIENT):
        return None
    return recipient.removeprefix(_RECIPIENT)
