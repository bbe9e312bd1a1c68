"""A delivery's snapshot becomes the message that is sent: subject, text and HTML, from the templates.

Whatever a user supplied is only ever a value: escaped in HTML, on one line where one line belongs, never a template,
never a header. The HTML works without its style sheet (inlined, so that mail programs that drop it show the same),
in light and dark, on narrow screens and read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts, occurred_at
from perdure.core.notifications.message_templates import MessageTemplates, Written
from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.samples import SAMPLE_ID
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.errors import ConfigurationError
from perdure.models.delivery import Delivery

JOB_PATH = "/jobs/"
"""Where a job is looked at, below the public address; its id follows."""


class MessageRenderer:
    """Renders deliveries. ``public_url`` is how people reach the server; without it no message holds a link."""

    def __init__(
        self,
        public_url: str | None,
        templates: MessageTemplates | None = None,
        platform_name: str = "Resilient Job Platform",
        unsubscribe_links: UnsubscribeLinks | None = None,
    ) -> None:
        self._public_url = checked_public_url(public_url)
        self._templates = templates or MessageTemplates()
        self._unsubscribe_links = unsubscribe_links
        self._platform_name = platform_name

    def render(self, delivery: Delivery) -> Message:
        """The message that ``delivery`` is. Raises where the delivery names no recipient or its snapshot is no use."""
        if delivery.recipient is None:
            raise ValueError("a delivery without a recipient has no message")
        event, facts = JobEvent(delivery.event), JobFacts.of(delivery.snapshot)
        written = self.write(event, delivery.snapshot, delivery.subscription, delivery.delivery_id)
        return Message(
            delivery_id=delivery.delivery_id,
            job_id=delivery.job_id,
            job_type=facts.job_type,
            event=event,
            recipient=delivery.recipient,
            subject=written.subject,
            text=written.text,
            html=written.html,
            facts=facts,
            snapshot=delivery.snapshot,
            url=self._url(delivery.snapshot),
            occurred_at=occurred_at(delivery.snapshot) or delivery.created_at,
            unsubscribe_url=self._unsubscribe_url(delivery.delivery_id),
        )

    def write(
        self,
        event: JobEvent,
        snapshot: Mapping[str, Any],
        subscription: str | None = None,
        delivery_id: UUID = SAMPLE_ID,
    ) -> Written:
        """What is said of ``event`` of the job that ``snapshot`` shows, whoever is told it.

        ``subscription`` is the one that asked for it, if not the job. The link to unsubscribe names ``delivery_id``;
        that of the sample leads nowhere.
        """
        values = {
            "job": JobFacts.of(snapshot),
            "event": event.value,
            "url": self._url(snapshot),
            "unsubscribe_url": self._unsubscribe_url(delivery_id),
            "subscription": subscription,
            "platform_name": self._platform_name,
        }
        return self._templates.write(event, snapshot["job_type"], values)

    def _unsubscribe_url(self, delivery_id: UUID) -> str | None:
        return None if self._unsubscribe_links is None else self._unsubscribe_links.url(delivery_id)

    def _url(self, snapshot: Mapping[str, Any]) -> str | None:
        return None if self._public_url is None else f"{self._public_url}{JOB_PATH}{snapshot['job_id']}"


def checked_public_url(public_url: str | None) -> str | None:
    """``public_url`` as links begin with it; raises ``ConfigurationError`` for what is no such URL."""
    if public_url is None:
        return None
    try:
        parts = urlsplit(public_url)
    except ValueError:
        raise _bad_url() from None
    if parts.scheme not in ("http", "https") or not parts.netloc or not re.fullmatch(r"[!-~]+", public_url):
        raise _bad_url()
    return public_url.rstrip("/")


def _bad_url() -> ConfigurationError:
    return ConfigurationError("PERDURE_PUBLIC_URL must be a URL such as https://jobs.example.com, in ASCII.")
