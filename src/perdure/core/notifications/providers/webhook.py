"""Webhooks by the Standard Webhooks specification: a signed POST to the URL that the job declares.

The URL is anybody's who may submit, so where it leads is judged at each try (docs/decisions/0017-ssrf-guard.md). The
``webhook-id`` is the delivery's id, the same at every try, by which a receiver knows what it has seen already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import (
    ChannelOptions,
    Evaluation,
    Message,
    Recipients,
    Skip,
    declared_options,
    judge,
)
from perdure.core.notifications.providers.webhook_answer import judge_answer
from perdure.core.notifications.providers.webhook_configuration import SigningSecrets, WebhookConfiguration
from perdure.models.delivery import Attempt, DeliveryPolicy, SkipReason, Verdict
from perdure.models.finding import Finding, Level
from perdure.models.job import Job
from perdure.outbound.addresses import networks
from perdure.outbound.http_send import HttpSender
from perdure.outbound.transport import GuardedTransport
from perdure.schemas.urls import Url

__all__ = ["WebhookConfiguration", "WebhookOptions", "WebhookProvider"]

TYPES = {JobEvent.SUCCESS: "job.succeeded", JobEvent.FAILURE: "job.failed", JobEvent.CANCELLED: "job.cancelled"}
"""What the payload calls each event."""
_RENAMED = {"result": "result_excerpt"}
"""A program would take it for the result, and it is the beginning of it as text."""
_SHORTEST_SECRET_PATH = 8


class WebhookOptions(ChannelOptions):
    """A signed POST to ``url``."""

    url: Url | None = Field(None, description="where to POST to; https, or a network that the operator allows")


class WebhookProvider:
    """The channel ``webhook``: one POST to the URL that the job declares."""

    channel: ClassVar[str] = "webhook"
    options: ClassVar[type[ChannelOptions]] = WebhookOptions

    def __init__(self, configuration: WebhookConfiguration, sender: HttpSender | None = None) -> None:
        self._configuration = configuration
        self._secrets = configuration.secrets
        self._sender = sender or HttpSender(
            configuration.deadline_seconds, GuardedTransport(networks(configuration.allow_cidrs))
        )

    @property
    def name(self) -> str:
        return "webhook"

    @property
    def policy(self) -> DeliveryPolicy:
        return self._configuration.policy

    def destination(self, recipient: str) -> str:
        return urlsplit(recipient).netloc.lower()

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        options = declared_options(job, self.channel, WebhookOptions)
        if options is None:
            return Skip(SkipReason.CHANNEL_DISABLED)
        return judge(options, event) or _recipient(options)

    def missing_settings(self) -> Sequence[str]:
        return [] if self._secrets.keys else ["WEBHOOK_SIGNING_SECRET"]

    async def send(self, message: Message) -> Attempt:
        missing = self.missing_settings()
        if missing:
            return Attempt(
                verdict=Verdict.MISCONFIGURED, error_type="not_configured", message=f"set {', '.join(missing)}"
            )
        return await self._post(message.recipient, self._secrets, message)

    async def check(self) -> Sequence[Finding]:
        if self.missing_settings():
            return [Finding(Level.OK, "not configured: webhooks end as SKIPPED. WEBHOOK_SIGNING_SECRET signs them.")]
        count = len(self._secrets.keys)
        inside = ", ".join(self._configuration.allow_cidrs)
        signed = "signed with the secret" if count == 1 else f"signed with each of {count} secrets"
        return [Finding(Level.OK, f"{signed}; they reach the internet by https, {inside or 'and nothing'} inside")]

    async def aclose(self) -> None:
        await self._sender.aclose()

    async def _post(self, url: str, secrets: SigningSecrets, message: Message) -> Attempt:
        body = _body(message)
        message_id, timestamp = str(message.delivery_id), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": secrets.sign(message_id, timestamp, body),
        }
        return judge_answer(await self._sender.post(url, headers, body), secrets=_secret_parts(url))


def _recipient(options: WebhookOptions) -> Evaluation:
    return Skip(SkipReason.NO_RECIPIENT) if options.url is None else Recipients((options.url,))


def _body(message: Message) -> bytes:
    """The payload, minified; a snapshot has at most 8 KiB, so it stays below the 20 kB that receivers must take."""
    data = {_RENAMED.get(name, name): value for name, value in message.snapshot.items()} | {"url": message.url}
    payload = {"type": TYPES[message.event], "timestamp": message.occurred_at.isoformat(), "data": data}
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def _secret_parts(url: str) -> tuple[str, ...]:
    """The URL and what follows its host, which a receiver may repeat and which may hold a key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return (url, target) if len(target) >= _SHORTEST_SECRET_PATH else (url,)
