"""How Mailtrap is reached: the key, the inbox, the sender, and the one function that makes the address to post to.

What is wrong with the set-up is said when the process starts, not at the first mail. What is merely not set yet is
no error: the provider is then not configured, and says which variables it lacks.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from perdure.core.loopback import is_loopback
from perdure.core.notifications.providers.email_channel import MAX_AGE_SECONDS, RETRY_DELAYS_SECONDS, check_sender
from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import DeliveryPolicy, Rate

SANDBOX = "https://sandbox.api.mailtrap.io"
PRODUCTION = "https://send.api.mailtrap.io"
ACCOUNT = "https://mailtrap.io"
PRODUCTION_RATE = Rate(150, 10)
"""Mailtrap's limit for one token."""
SANDBOX_RATE = Rate(1, 2)
"""Mailtrap's limit depends on the plan, and is nowhere told: what every plan takes."""
_PRODUCTION_HOSTS = ("send.api.mailtrap.io", "bulk.api.mailtrap.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailtrapConfiguration:
    """Everything the provider needs to know. The variables that set it are named in docs/notifications/mailtrap.md.

    ``api_host`` replaces Mailtrap's own host in both modes; ``label`` tells a stand-in from Mailtrap in the audit. With
    ``account_id`` Mailtrap is asked what came of a mail that it did not answer for. ``rate`` is Mailtrap's own if None.
    """

    api_key: SecretStr | str | None = field(default=None, repr=False)
    use_sandbox: bool = True
    inbox_id: str | None = None
    from_email: str = "hello@demomailtrap.co"
    from_name: str = "Resilient Job Platform"
    api_host: str | None = None
    label: str | None = None
    account_id: str | None = None
    rate: Rate | None = None
    retry_delays_seconds: tuple[float, ...] = RETRY_DELAYS_SECONDS
    max_age_seconds: float = MAX_AGE_SECONDS
    deadline_seconds: float = 15

    def __post_init__(self) -> None:
        key = self.api_key.get_secret_value() if isinstance(self.api_key, SecretStr) else self.api_key
        object.__setattr__(self, "api_key", _checked_key(key))
        object.__setattr__(self, "inbox_id", _checked_inbox(self.inbox_id))
        object.__setattr__(self, "account_id", _checked_account(self.account_id))
        check_sender(self.from_email, self.from_name)
        base = None if self.api_host is None else _base_of(self.api_host)
        if self.use_sandbox and base is not None and urlsplit(base).hostname in _PRODUCTION_HOSTS:
            raise ConfigurationError(
                "MAILTRAP_API_HOST names Mailtrap's production while MAILTRAP_USE_SANDBOX is true. Leave it unset, "
                "and set MAILTRAP_USE_SANDBOX=false to send real mails."
            )

    @property
    def key(self) -> str | None:
        """The key in the clear, for the header alone."""
        return self.api_key.get_secret_value() if isinstance(self.api_key, SecretStr) else None

    @property
    def policy(self) -> DeliveryPolicy:
        return DeliveryPolicy(
            delays_seconds=self.retry_delays_seconds,
            max_age_seconds=self.max_age_seconds,
            deadline_seconds=self.deadline_seconds,
            rate=self.rate or self._usual_rate,
        )

    @property
    def _usual_rate(self) -> Rate | None:
        """What Mailtrap lets through; none for a host that stands in for it."""
        if self.api_host is not None:
            return None
        return SANDBOX_RATE if self.use_sandbox else PRODUCTION_RATE

    @property
    def missing(self) -> list[str]:
        """The variables that must be set before a mail can be sent."""
        missing = [] if self.api_key is not None else ["MAILTRAP_API_KEY"]
        if self.use_sandbox and self.inbox_id is None:
            missing.append("MAILTRAP_INBOX_ID")
        return missing

    @property
    def send_url(self) -> str:
        """Where mails are posted to. With the sandbox on, nothing here can lead to Mailtrap's production."""
        if self.use_sandbox:
            base, path = SANDBOX, f"/api/send/{self.inbox_id}"
        else:
            base, path = PRODUCTION, "/api/send"
        return (base if self.api_host is None else _base_of(self.api_host)) + path

    @property
    def account_url(self) -> str:
        """Where Mailtrap's account API is: a host that replaces Mailtrap's own is asked for that too."""
        base = ACCOUNT if self.api_host is None else _base_of(self.api_host)
        return ACCOUNT if (urlsplit(base).hostname or "").endswith(".mailtrap.io") else base

    @property
    def from_domain(self) -> str:
        return self.from_email.rpartition("@")[2].lower()


def _checked_key(key: str | None) -> SecretStr | None:
    stripped = (key or "").strip()
    if not re.fullmatch(r"[\x21-\x7e]*", stripped):
        raise ConfigurationError(
            "MAILTRAP_API_KEY holds a space, a line break or a character outside ASCII. "
            "Copy the token alone from Mailtrap (Settings, API Tokens)."
        )
    return SecretStr(stripped) if stripped else None


def _checked_inbox(inbox_id: str | None) -> str | None:
    stripped = (inbox_id or "").strip()
    if not re.fullmatch(r"[A-Za-z0-9_-]*", stripped):
        raise ConfigurationError(
            "MAILTRAP_INBOX_ID is not an inbox id. Take the number from the address of the inbox's page in Mailtrap."
        )
    return stripped or None


def _checked_account(account_id: str | None) -> str | None:
    stripped = (account_id or "").strip()
    if not re.fullmatch(r"[0-9]*", stripped):
        raise ConfigurationError(
            "MAILTRAP_ACCOUNT_ID is not an account's number. It is shown in Mailtrap under Settings, Account."
        )
    return stripped or None


def _base_of(api_host: str) -> str:
    """Scheme, host, port and path prefix that ``api_host`` names.

    A bare loopback host means http, since that is what a local stand-in speaks; any other bare host means https.
    Plain http to anywhere else is refused: the key would travel in the clear.
    """
    text = api_host.strip()
    try:
        url = urlsplit(text if "://" in text else f"//{text}")
        host, port = url.hostname or "", url.port
    except ValueError:
        raise _bad_host() from None
    scheme = url.scheme or ("http" if is_loopback(host) else "https")
    if not _is_host(host) or not re.fullmatch(r"[A-Za-z0-9._~/-]*", url.path):
        raise _bad_host()
    if scheme not in ("http", "https") or "@" in url.netloc or url.query or url.fragment:
        raise _bad_host()
    if scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            "MAILTRAP_API_HOST may use http:// only for this machine (127.0.0.1, localhost); use https:// elsewhere."
        )
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port is None else f":{port}"
    return f"{scheme}://{shown_host}{shown_port}{url.path.rstrip('/')}"


def _bad_host() -> ConfigurationError:
    return ConfigurationError(
        "MAILTRAP_API_HOST must be a host, host:port, or a URL such as https://mail.example:8443."
    )


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", host) is not None
    return True
