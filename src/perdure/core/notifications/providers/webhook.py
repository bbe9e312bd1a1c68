"""Webhooks by the Standard Webhooks specification: a signed POST to the URL, or the endpoint, that the job declares.

The URL is anybody's who may submit, so where it leads is judged at each try (docs/decisions/0017-ssrf-guard.md). The
``webhook-id`` is the delivery's id, the same at every try, by which a receiver knows what it has seen already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from perdure.core.notifications.endpoints import NO_ENDPOINTS, Endpoints
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
from perdure.core.notifications.providers.http_answer import unbuildable, unconfigured
from perdure.core.notifications.providers.webhook_answer import is_of_url, judge_answer
from perdure.core.notifications.providers.webhook_configuration import SigningSecrets, WebhookConfiguration
from perdure.errors import Unavailable
from perdure.models.delivery import Attempt, SkipReason, Verdict
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.finding import Finding, Level
from perdure.models.job import Job
from perdure.models.webhook_endpoint import endpoint_of, recipient_of
from perdure.outbound.addresses import networks
from perdure.outbound.http_send import HttpSender
from perdure.outbound.transport import GuardedTransport
from perdure.schemas.job import Name
from perdure.schemas.urls import Url

__all__ = ["WebhookConfiguration", "WebhookOptions", "WebhookProvider"]

TYPES = {JobEvent.SUCCESS: "job.succeeded", JobEvent.FAILURE: "job.failed", JobEvent.CANCELLED: "job.cancelled"}
"""What the payload calls each event."""
_RENAMED = {"result": "result_excerpt"}
"""A program would take it for the result, and it is the beginning of it as text."""
_SHORTEST_SECRET_PATH = 8
ENDPOINT_DISABLED = "endpoint_disabled"
"""The error type of a try for which nobody was called, since the endpoint may not be."""


class WebhookOptions(ChannelOptions):
    """A signed POST to ``url``, or to the place that ``endpoint`` names."""

    url: Url | None = Field(None, description="where to POST to; https, or a network that the operator allows")
    endpoint: Name | None = Field(None, description="instead of `url`: the name of a webhook endpoint")

    @model_validator(mode="after")
    def _one_place(self) -> WebhookOptions:
        if self.url is not None and self.endpoint is not None:
            raise ValueError("give url or endpoint, not both")
        return self


class WebhookProvider:
    """The channel ``webhook``: one POST to the URL, or the endpoint, that the job declares."""

    channel: ClassVar[str] = "webhook"
    options: ClassVar[type[ChannelOptions]] = WebhookOptions

    def __init__(
        self,
        configuration: WebhookConfiguration,
        sender: HttpSender | None = None,
        endpoints: Endpoints = NO_ENDPOINTS,
    ) -> None:
        self._configuration = configuration
        self._endpoints = endpoints
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
        return urlsplit(recipient).netloc.lower() if endpoint_of(recipient) is None else recipient

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        options = declared_options(job, self.channel, WebhookOptions)
        if options is None:
            return Skip(SkipReason.CHANNEL_DISABLED)
        return judge(options, event) or _recipient(options)

    def missing_settings(self) -> Sequence[str]:
        return self.missing_for(None) if self._endpoints is NO_ENDPOINTS else []

    def missing_for(self, recipient: str | None) -> Sequence[str]:
        """What a URL needs; an endpoint has secrets of its own."""
        is_signed = self._secrets.keys or endpoint_of(recipient) is not None
        return [] if is_signed else ["WEBHOOK_SIGNING_SECRET"]

    async def send(self, message: Message) -> Attempt:
        endpoint = endpoint_of(message.recipient)
        if endpoint is not None:
            return await self._call(endpoint, message)
        missing = self.missing_for(message.recipient)
        if missing:
            return unconfigured(missing)
        attempt = await self._post(message.recipient, self._secrets, message)
        return replace(attempt, spares_destination=is_of_url(attempt))

    async def check(self) -> Sequence[Finding]:
        if not self._secrets.keys:
            unsigned = "not configured: webhooks to URLs end as SKIPPED. WEBHOOK_SIGNING_SECRET signs them."
            return [Finding(Level.OK, f"{unsigned} Webhook endpoints need nothing.")]
        count = len(self._secrets.keys)
        inside = ", ".join(self._configuration.allow_cidrs)
        signed = "signed with the secret" if count == 1 else f"signed with each of {count} secrets"
        return [Finding(Level.OK, f"{signed}; they reach the internet by https, {inside or 'and nothing'} inside")]

    async def aclose(self) -> None:
        await self._sender.aclose()

    async def _call(self, endpoint: str, message: Message) -> Attempt:
        try:
            target = await self._endpoints.resolve(endpoint)
        except Unavailable:
            return Attempt(
                verdict=Verdict.TRANSIENT,
                error_type="endpoint_unknown",
                message="the database could not be asked where the endpoint is; nothing was sent",
            )
        if target is None:
            return Attempt(
                verdict=Verdict.GONE,
                error_type=ENDPOINT_DISABLED,
                message="the endpoint is disabled, or there is none of this name; nothing was sent",
            )
        return await self._post(target.url, SigningSecrets.parse(target.secrets), message)

    async def _post(self, url: str, secrets: SigningSecrets, message: Message) -> Attempt:
        try:
            body = _body(message)
        except Exception as error:  # noqa: BLE001 (one that cannot be built must not raise into the notifier)
            return unbuildable(error)
        message_id, timestamp = str(message.delivery_id), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": secrets.sign(message_id, timestamp, body),
        }
        return judge_answer(await self._sender.post(url, headers, body), secrets=_secret_parts(url))


def _recipient(options: WebhookOptions) -> Evaluation:
    place = options.url if options.endpoint is None else recipient_of(options.endpoint)
    return Skip(SkipReason.NO_RECIPIENT) if place is None else Recipients((place,))


def _body(message: Message) -> bytes:
    """The payload, minified; a snapshot has at most 8 KiB, so it stays below the 20 kB that receivers must take."""
    data = {_RENAMED.get(name, name): value for name, value in message.snapshot.items()} | {"url": message.url}
    payload = {"type": TYPES[message.event], "timestamp": message.occurred_at.isoformat(), "data": data}
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _secret_parts(url: str) -> tuple[str, ...]:
    """The URL and what follows its host, which a receiver may repeat and which may hold a key."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return (url, target) if len(target) >= _SHORTEST_SECRET_PATH else (url,)
