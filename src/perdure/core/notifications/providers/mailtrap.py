"""Mails through Mailtrap: its sandbox by default, where nothing reaches a real inbox; its production on request.

The mail is built with the official SDK's own models, so that the wire format stays the vendor's; our own transport
carries it, because the SDK's has no total deadline and follows redirects (docs/decisions/0005-mailtrap-transport.md).
A test compares the two on the wire.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import ChannelOptions, Evaluation, Message
from perdure.core.notifications.providers.email_channel import CHANNEL, EmailOptions, evaluate_email
from perdure.core.notifications.providers.http_answer import unbuildable, unconfigured
from perdure.core.notifications.providers.mailtrap_answer import judge_answer
from perdure.core.notifications.providers.mailtrap_check import check_mailtrap
from perdure.core.notifications.providers.mailtrap_configuration import MailtrapConfiguration
from perdure.core.notifications.providers.mailtrap_search import find_mail
from perdure.core.notifications.unsubscribing import list_unsubscribe
from perdure.models.delivery import Attempt
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.finding import Finding
from perdure.models.job import Job
from perdure.outbound.http_send import HttpSender

__all__ = ["MailtrapConfiguration", "MailtrapEmailProvider"]

_imported: Any = None


class MailtrapEmailProvider:
    """The channel ``email``, by Mailtrap's API."""

    channel: ClassVar[str] = CHANNEL
    options: ClassVar[type[ChannelOptions]] = EmailOptions

    def __init__(self, configuration: MailtrapConfiguration, sender: HttpSender | None = None) -> None:
        self._configuration = configuration
        self._sender = sender or HttpSender(configuration.deadline_seconds)

    @property
    def name(self) -> str:
        label = self._configuration.label
        return "mailtrap" if label is None else f"mailtrap ({label})"

    @property
    def policy(self) -> DeliveryPolicy:
        return self._configuration.policy

    def destination(self, _recipient: str) -> str:
        return "mailtrap"

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        return evaluate_email(job, event)

    def missing_settings(self) -> Sequence[str]:
        return self._configuration.missing

    async def send(self, message: Message) -> Attempt:
        key = self._configuration.key
        missing = self._configuration.missing
        if key is None or missing:
            return unconfigured(missing)
        try:
            body = await self._body(message)
        except Exception as error:  # noqa: BLE001 (one mail that cannot be built must not raise into the notifier)
            return unbuildable(error)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": "application/json"}
        answer = await self._sender.post(self._configuration.send_url, headers, body)
        return judge_answer(answer, secrets=(key,))

    async def find(self, message: Message, since: datetime) -> str | None:
        """The mail of an earlier try that nobody answered; None without ``MAILTRAP_ACCOUNT_ID``."""
        return await find_mail(self._configuration, message, since)

    async def check(self) -> Sequence[Finding]:
        return await check_mailtrap(self._configuration)

    async def aclose(self) -> None:
        await self._sender.aclose()

    async def _body(self, message: Message) -> bytes:
        """The request's body, byte for byte as the SDK would write it."""
        mail = self._mail(await _sdk(), message)
        return json.dumps(mail.api_data, allow_nan=False).encode()

    def _mail(self, sdk: Any, message: Message) -> Any:
        return sdk.Mail(
            sender=sdk.Address(email=self._configuration.from_email, name=self._configuration.from_name),
            to=[sdk.Address(email=message.recipient)],
            subject=message.subject,
            text=message.text or None,
            html=message.html or None,
            category=f"job.{message.event.value.lower()}",
            headers={
                "X-Delivery-Id": str(message.delivery_id),
                "Auto-Submitted": "auto-generated",
                **list_unsubscribe(message.unsubscribe_url),
            },
            custom_variables={"delivery_id": str(message.delivery_id), "job_id": str(message.job_id)},
        )


async def _sdk() -> Any:
    """The SDK, imported at the first mail and in a thread: it takes half a second. (It has no type hints.)"""
    global _imported  # noqa: PLW0603 (as what it is: there is one for the process)
    if _imported is None:
        _imported = await asyncio.to_thread(importlib.import_module, "mailtrap")
    return _imported
