"""Mails through any mail server that speaks SMTP: serves the channel ``email`` once ``SMTP_URL`` is set."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any, ClassVar

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import ChannelOptions, Evaluation, Message
from perdure.core.notifications.providers.email_channel import CHANNEL, EmailOptions, evaluate_email
from perdure.core.notifications.providers.http_answer import unbuildable
from perdure.core.notifications.providers.smtp_answer import judge_reply
from perdure.core.notifications.providers.smtp_check import check_smtp
from perdure.core.notifications.providers.smtp_configuration import MailServer, SmtpConfiguration
from perdure.core.notifications.providers.smtp_send import SmtpSender
from perdure.core.notifications.unsubscribing import list_unsubscribe
from perdure.models.delivery import Attempt
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.finding import Finding
from perdure.models.job import Job
from perdure.schemas.addresses import in_ascii

__all__ = ["SmtpConfiguration", "SmtpEmailProvider"]


class _UnbrokenHeader(UnstructuredHeader, BaseHeader):
    """On one line, however long: the library breaks a long URL into encoded words, in which no program seeks a link."""

    def fold(self, *, policy: Policy[Any]) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("List-Unsubscribe", _UnbrokenHeader)
_POLICY = SMTP.clone(header_factory=_HEADERS)


class SmtpEmailProvider:
    """The channel ``email``, by SMTP."""

    channel: ClassVar[str] = CHANNEL
    options: ClassVar[type[ChannelOptions]] = EmailOptions

    def __init__(self, configuration: SmtpConfiguration) -> None:
        self._configuration = configuration
        self._sender = SmtpSender(configuration.server, configuration.from_domain, configuration.deadline_seconds)
        self._secrets = _secrets(configuration.server)

    @property
    def name(self) -> str:
        return "smtp"

    @property
    def policy(self) -> DeliveryPolicy:
        return self._configuration.policy

    def destination(self, _recipient: str) -> str:
        return self._configuration.server.host

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        return evaluate_email(job, event)

    def missing_settings(self) -> Sequence[str]:
        return ()  # there is no such provider without SMTP_URL

    async def send(self, message: Message) -> Attempt:
        try:
            recipient = in_ascii(message.recipient)
            content = await asyncio.to_thread(_mail, self._configuration, recipient, message)
        except Exception as error:  # noqa: BLE001 (one mail that cannot be built must not raise into the notifier)
            return unbuildable(error)
        answer = await self._sender.send(self._configuration.sender, recipient, content)
        return judge_reply(answer, self._secrets)

    async def check(self) -> Sequence[Finding]:
        return await check_smtp(self._configuration, self._secrets)

    async def aclose(self) -> None:
        """Nothing is kept open between mails."""


def _mail(configuration: SmtpConfiguration, recipient: str, message: Message) -> bytes:
    """The mail, the same at every try but for its date: a copy is known by its ``Message-ID``.

    The standard library refuses a line break in a header, and the bodies travel as ASCII in short lines. It takes its
    time over long headers in other scripts, tens of milliseconds: hence the thread.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(configuration.from_name, addr_spec=configuration.sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = message.subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{message.delivery_id}@{configuration.from_domain}>"
    mail["X-Delivery-Id"] = str(message.delivery_id)
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in list_unsubscribe(message.unsubscribe_url).items():
        mail[name] = value
    mail.set_content(message.text, cte="quoted-printable")
    if message.html:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return mail.as_bytes()


def _secrets(server: MailServer) -> tuple[str, ...]:
    """The password in every form in which a server could repeat it."""
    if server.username is None or server.password is None:
        return ()
    password = server.password.get_secret_value()
    plain = f"\0{server.username}\0{password}"
    return (password, *(base64.b64encode(text.encode()).decode() for text in (password, plain)))
