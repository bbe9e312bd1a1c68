"""How the mail server is reached: host, TLS and login from one URL, and the sender.

TLS is asked for, and its certificate checked, wherever the mail crosses a wire; a password never crosses one in the
clear. What is wrong with the URL is said when the process starts, without repeating any of it: it holds a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from perdure.core.loopback import is_loopback
from perdure.core.notifications.providers.email_channel import MAX_AGE_SECONDS, RETRY_DELAYS_SECONDS, check_sender
from perdure.errors import ConfigurationError
from perdure.models.delivery_policy import DeliveryPolicy, Rate
from perdure.schemas.addresses import in_ascii

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]+")


class Security(Enum):
    """How the connection is kept from being read; the value is its usual port."""

    TLS = 465
    """From the first byte (``smtps://``)."""
    STARTTLS = 587
    """Asked for before anything is said; a server without it is sent nothing."""
    NONE = 25


@dataclass(frozen=True, slots=True)
class MailServer:
    """What ``SMTP_URL`` says, taken apart."""

    host: str
    port: int
    security: Security
    username: str | None
    password: SecretStr | None

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Reads ``smtp://user:password@host:port?starttls=required|never`` or ``smtps://…``."""
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _bad_url() from None
        if parts.scheme not in ("smtp", "smtps") or not _HOST.fullmatch(host):
            raise _bad_url()
        if parts.path not in ("", "/") or parts.fragment:
            raise _bad_url()
        security = _security(parts, host)
        username, password = _login(parts)
        if username is not None and security is Security.NONE and not is_loopback(host):
            raise ConfigurationError(
                "SMTP_URL has a password and starttls=never: it would travel in the clear. Leave starttls out, or use "
                "smtps://."
            )
        return cls(host, security.value if port is None else port, security, username, password)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfiguration:
    """Everything the provider needs to know. The variables that set it are named in docs/notifications/smtp.md."""

    url: SecretStr | str = field(repr=False)
    from_email: str
    from_name: str
    retry_delays_seconds: tuple[float, ...] = RETRY_DELAYS_SECONDS
    max_age_seconds: float = MAX_AGE_SECONDS
    deadline_seconds: float = 30
    """Longer than for an API: servers greet late on purpose, and look at a mail before they take it."""
    rate: Rate | None = None
    max_in_flight: int = 4
    """Each is a connection, and mail servers count those of one sender."""
    server: MailServer = field(init=False)

    def __post_init__(self) -> None:
        url = self.url.get_secret_value() if isinstance(self.url, SecretStr) else self.url
        object.__setattr__(self, "url", SecretStr(url))
        object.__setattr__(self, "server", MailServer.parse(url))
        check_sender(self.from_email, self.from_name)
        if find_spec("aiosmtplib") is None:
            raise ConfigurationError(
                "SMTP_URL is set, and the package that speaks SMTP is missing. Install perdure[smtp]."
            )

    @property
    def policy(self) -> DeliveryPolicy:
        return DeliveryPolicy(
            delays_seconds=self.retry_delays_seconds,
            max_age_seconds=self.max_age_seconds,
            deadline_seconds=self.deadline_seconds,
            rate=self.rate,
            max_in_flight=self.max_in_flight,
        )

    @property
    def sender(self) -> str:
        """The sender's address, as mail servers write it."""
        return in_ascii(self.from_email)

    @property
    def from_domain(self) -> str:
        return self.sender.rpartition("@")[2].lower()


def _security(parts: SplitResult, host: str) -> Security:
    """STARTTLS unless the mail stays on this machine, or the URL says otherwise."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    starttls = options.pop("starttls", None)
    if options or starttls not in (None, "required", "never"):
        raise ConfigurationError("SMTP_URL may end with ?starttls=required or ?starttls=never, and with nothing else.")
    if parts.scheme == "smtps":
        if starttls is not None:
            raise ConfigurationError("SMTP_URL begins with smtps://, which is TLS from the start: leave starttls out.")
        return Security.TLS
    if starttls is None:
        return Security.NONE if is_loopback(host) else Security.STARTTLS
    return Security.STARTTLS if starttls == "required" else Security.NONE


def _login(parts: SplitResult) -> tuple[str | None, SecretStr | None]:
    if "@" not in parts.netloc:
        return None, None
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not _PRINTABLE.fullmatch(username) or not _PRINTABLE.fullmatch(password):
        raise ConfigurationError(
            "SMTP_URL must have both a user and a password before the @, with special characters written as %40 (@), "
            "%3A (:), %2F (/), %23 (#) and so on."
        )
    return username, SecretStr(password)


def _bad_url() -> ConfigurationError:
    return ConfigurationError(
        "SMTP_URL must be a URL such as smtp://user:password@mail.example:587 or smtps://user:password@mail.example, "
        "with special characters in the password written as %40 (@), %3A (:), %2F (/), %23 (#) and so on."
    )
