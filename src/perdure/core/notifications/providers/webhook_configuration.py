"""How webhooks are signed and where they may lead: the secrets, the networks inside, and the policy.

A secret is ``whsec_`` and the base64 of at least 24 bytes, as Standard Webhooks has it. Several are a rotation: each
signs, so that receivers may go from one to the next when they like.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import SecretStr

from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import DeliveryPolicy, Rate
from perdure.outbound.addresses import networks

PREFIX = "whsec_"
LEAST_KEY_BYTES = 24
RATE = Rate(calls=10, seconds=1)
"""For each host, or endpoint."""
MAX_IN_FLIGHT, MAX_IN_FLIGHT_EACH = 20, 4
"""In each process, and to each host or endpoint: receivers that hang leave room for the others."""
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class SigningSecrets:
    """The keys that sign, each by itself. None is an empty one; they are never shown."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> SigningSecrets:
        """The keys of ``texts`` (``whsec_…``); raises ``ValueError``, which does not quote them."""
        return cls(tuple(_key(text) for text in texts))

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The header ``webhook-signature`` over exactly these bytes, sent at ``timestamp`` (seconds since 1970)."""
        signed = f"{message_id}.{timestamp}.".encode() + body
        digests = (hmac.digest(key, signed, hashlib.sha256) for key in self.keys)
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfiguration:
    """Everything the provider needs to know. The variables that set it are named in docs/notifications/webhook.md.

    ``signing_secret`` may be several, comma separated; ``allow_cidrs`` are the networks inside that may be reached.
    """

    signing_secret: SecretStr | str | None = field(default=None, repr=False)
    allow_cidrs: tuple[str, ...] = ()
    retry_delays_seconds: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
    max_age_seconds: float = 172_800
    deadline_seconds: float = 15

    def __post_init__(self) -> None:
        _ = (self.secrets, networks(self.allow_cidrs))  # what is wrong is said at the start

    @property
    def secrets(self) -> SigningSecrets:
        given = self.signing_secret
        text = (given.get_secret_value() if isinstance(given, SecretStr) else given) or ""
        try:
            return SigningSecrets.parse(one.strip() for one in text.split(",") if one.strip())
        except ValueError:
            raise ConfigurationError(
                f"WEBHOOK_SIGNING_SECRET must be {PREFIX} and the base64 of at least {LEAST_KEY_BYTES} random bytes, "
                f"or several of these, comma separated. `echo {PREFIX}$(openssl rand -base64 32)` makes one."
            ) from None

    @property
    def policy(self) -> DeliveryPolicy:
        return DeliveryPolicy(
            delays_seconds=self.retry_delays_seconds,
            max_age_seconds=self.max_age_seconds,
            deadline_seconds=self.deadline_seconds,
            rate=RATE,
            max_in_flight=MAX_IN_FLIGHT,
            max_in_flight_each=MAX_IN_FLIGHT_EACH,
            jitter=JITTER,
        )


def _key(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise ValueError("has another beginning")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("is no base64") from None
    if len(key) < LEAST_KEY_BYTES:
        raise ValueError("is too short")
    return key
