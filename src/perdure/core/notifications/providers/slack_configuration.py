"""How Slack is reached: an incoming webhook, whose URL is the key and the channel in one.

What is wrong with it is said when the process starts, not at the first message, and never with the URL in the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from perdure.core.loopback import is_loopback
from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import DeliveryPolicy, Rate

SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_SHORTEST_SECRET = 8
"""What is shorter is no secret, and would be found in innocent words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfiguration:
    """Everything the provider needs to know. The variables that set it are named in docs/notifications/slack.md.

    Slack takes one message a second from a webhook; no message is tried for more than an hour.
    """

    webhook_url: SecretStr | str | None = field(default=None, repr=False)
    retry_delays_seconds: tuple[float, ...] = (5, 30, 120, 600)
    max_age_seconds: float = 3600
    deadline_seconds: float = 10

    def __post_init__(self) -> None:
        url = self.webhook_url.get_secret_value() if isinstance(self.webhook_url, SecretStr) else self.webhook_url
        object.__setattr__(self, "webhook_url", _checked_url(url))

    @property
    def url(self) -> str | None:
        """The webhook's URL in the clear, for the request alone."""
        return self.webhook_url.get_secret_value() if isinstance(self.webhook_url, SecretStr) else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The parts of the URL by which somebody else could post, longest first."""
        url = self.url or ""
        path = urlsplit(url).path
        return tuple(part for part in (url, path, path.rpartition("/")[2]) if len(part) >= _SHORTEST_SECRET)

    @property
    def policy(self) -> DeliveryPolicy:
        return DeliveryPolicy(
            delays_seconds=self.retry_delays_seconds,
            max_age_seconds=self.max_age_seconds,
            deadline_seconds=self.deadline_seconds,
            rate=Rate(1, 1.0),
            max_in_flight=4,
            ambiguous_retries=1,
        )

    @property
    def missing(self) -> list[str]:
        """The variables that must be set before a message can be sent."""
        return [] if self.webhook_url is not None else ["SLACK_WEBHOOK_URL"]


def _checked_url(url: str | None) -> SecretStr | None:
    stripped = (url or "").strip()
    if not stripped:
        return None
    try:
        parts = urlsplit(stripped)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_url() from None
    if not re.fullmatch(r"[\x21-\x7e]+", stripped) or "@" in parts.netloc or parts.query or parts.fragment:
        raise _bad_url()
    if not (_is_stand_in(parts, host) or _is_slack(parts, host)):
        raise _bad_url()
    return SecretStr(stripped)


def _is_slack(parts: SplitResult, host: str) -> bool:
    """Whether it is an incoming webhook of Slack's; one of a workflow takes other messages."""
    return parts.scheme == "https" and host in SLACK_HOSTS and parts.path.startswith("/services/")


def _is_stand_in(parts: SplitResult, host: str) -> bool:
    return parts.scheme in ("http", "https") and is_loopback(host)


def _bad_url() -> ConfigurationError:
    return ConfigurationError(
        "SLACK_WEBHOOK_URL is not the URL of an incoming webhook (https://hooks.slack.com/services/…). Copy it from "
        "your Slack app's page Incoming Webhooks."
    )
