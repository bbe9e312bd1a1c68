"""A delivery's snapshot becomes the message that is sent: subject, text and HTML, from the templates beside this file.

Whatever a user supplied is only ever a value: escaped in HTML, on one line where one line belongs, never a template,
never a header. The HTML works without its style sheet (inlined, so that mail programs that drop it show the same),
in light and dark, on narrow screens and read aloud.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from css_inline import CSSInliner
from jinja2 import PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts, occurred_at, one_line
from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.errors import ConfigurationError
from perdure.models.delivery import Delivery

MAX_SUBJECT = 150
JOB_PATH = "/v1/jobs/"
"""Where a job is looked at, below the public address; its id follows."""

_PARTS = ("subject.txt", "txt", "html")


class MessageRenderer:
    """Renders deliveries. ``public_url`` is how people reach the server; without it no message holds a link."""

    def __init__(
        self,
        public_url: str | None,
        platform_name: str = "Resilient Job Platform",
        unsubscribe_links: UnsubscribeLinks | None = None,
    ) -> None:
        self._public_url = _checked(public_url)
        self._unsubscribe_links = unsubscribe_links
        self._platform_name = platform_name
        environment = SandboxedEnvironment(
            loader=PackageLoader("perdure.core.notifications", "templates"),
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates = {
            event: {part: environment.get_template(f"job_{event.value.lower()}.{part}") for part in _PARTS}
            for event in JobEvent
        }
        # Everything that could make the inliner read a file or the network is off; templates are its only input.
        self._inliner = CSSInliner(
            inline_style_tags=True, keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False
        )

    def render(self, delivery: Delivery) -> Message:
        """The message that ``delivery`` is. Raises where the delivery names no recipient or its snapshot is no use."""
        if delivery.recipient is None:
            raise ValueError("a delivery without a recipient has no message")
        event, links = JobEvent(delivery.event), self._unsubscribe_links
        values = self._values(delivery)
        subject, text, html = (self._templates[event][part].render(values) for part in _PARTS)
        return Message(
            delivery_id=delivery.delivery_id,
            job_id=delivery.job_id,
            job_type=values["job"].job_type,
            event=event,
            recipient=delivery.recipient,
            subject=one_line(subject, MAX_SUBJECT),
            text=text,
            html=self._inliner.inline(html),
            facts=values["job"],
            snapshot=delivery.snapshot,
            url=values["url"],
            occurred_at=occurred_at(delivery.snapshot) or delivery.created_at,
            unsubscribe_url=None if links is None else links.url(delivery.delivery_id),
        )

    def _values(self, delivery: Delivery) -> dict[str, Any]:
        url = None if self._public_url is None else f"{self._public_url}{JOB_PATH}{delivery.job_id}"
        return {"job": JobFacts.of(delivery.snapshot), "url": url, "platform_name": self._platform_name}


def _checked(public_url: str | None) -> str | None:
    if public_url is None:
        return None
    try:
        parts = urlsplit(public_url)
    except ValueError:
        raise _bad_url() from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise _bad_url()
    return public_url.rstrip("/")


def _bad_url() -> ConfigurationError:
    return ConfigurationError("PERDURE_PUBLIC_URL must be a URL such as https://jobs.example.com.")
