"""The HTTP providers that are held to the contract: whoever adds one adds it here, and where it differs from others.

The example of a package's provider is among them: it is what people copy.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from perdure_ntfy import NtfyProvider
from tests.core.notifications.jobs import a_message
from tests.core.notifications.providers.contract.behaviours import Expected
from tests.stand_in.http_server import StandIn
from tests.stand_in.mailtrap_server import MailtrapStandIn
from tests.stand_in.receiver import LOOPBACK, Receiver
from tests.stand_in.slack_server import PATH, SlackStandIn

from perdure.core.notifications.providers.base import Message, Provider
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.slack import SlackConfiguration, SlackProvider
from perdure.core.notifications.providers.webhook import WebhookConfiguration, WebhookProvider
from perdure.models.delivery import Verdict
from perdure.outbound.http_send import HttpSender

KEY = "f00dcafef00dcafe"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A provider, and how it is put before a server.

    ``at(base, deadline_seconds)`` is the provider when its service is at the URL ``base``, and a message for it there.
    ``proven`` is its verdict of a message that was taken for certain; ``secrets`` must not come back from anywhere.
    """

    stand_in: type[StandIn]
    at: Callable[[str, float], tuple[Provider, Message]]
    unconfigured: Callable[[], Provider]
    proven: Verdict
    secrets: tuple[str, ...]
    declared: Mapping[str, Any] = field(default_factory=dict)
    recipients: tuple[str, ...]
    differs: Mapping[str, Expected] = field(default_factory=dict)


def _mailtrap(base: str, deadline_seconds: float) -> tuple[Provider, Message]:
    configuration = MailtrapConfiguration(api_key=KEY, inbox_id="42", api_host=base, deadline_seconds=deadline_seconds)
    return MailtrapEmailProvider(configuration), a_message()


def _slack(base: str, deadline_seconds: float) -> tuple[Provider, Message]:
    configuration = SlackConfiguration(webhook_url=base + PATH, deadline_seconds=deadline_seconds)
    return SlackProvider(configuration), a_message(recipient="slack")


def _webhook(base: str, deadline_seconds: float) -> tuple[Provider, Message]:
    configuration = WebhookConfiguration(signing_secret=SECRET, allow_cidrs=LOOPBACK, deadline_seconds=deadline_seconds)
    return WebhookProvider(configuration), a_message(recipient=base + PATH)


class NtfyStandIn(StandIn):
    def taken(self) -> bytes:
        return json.dumps({"id": "x1", "event": "message"}).encode()


def _ntfy(base: str, deadline_seconds: float) -> tuple[Provider, Message]:
    return NtfyProvider(base, KEY, HttpSender(deadline_seconds)), a_message(recipient="nightly-builds")


D, T = Verdict.DELIVERED, Verdict.TRANSIENT

SUBJECTS: dict[str, Subject] = {
    "mailtrap": Subject(
        stand_in=MailtrapStandIn,
        at=_mailtrap,
        unconfigured=lambda: MailtrapEmailProvider(MailtrapConfiguration()),
        proven=Verdict.ACCEPTED,
        secrets=(KEY, "eader@"),
        recipients=("reader@example.com",),
    ),
    "slack": Subject(
        stand_in=SlackStandIn,
        at=_slack,
        unconfigured=lambda: SlackProvider(SlackConfiguration()),
        proven=Verdict.DELIVERED,
        secrets=(PATH, PATH.rpartition("/")[2]),
        recipients=("slack",),
    ),
    "ntfy, the example": Subject(
        stand_in=NtfyStandIn,
        at=_ntfy,
        unconfigured=lambda: NtfyProvider(None),
        proven=Verdict.ACCEPTED,
        secrets=(KEY,),
        declared={"topic": "nightly-builds"},
        recipients=("nightly-builds",),
    ),
    "webhook": Subject(
        stand_in=Receiver,
        at=_webhook,
        unconfigured=lambda: WebhookProvider(WebhookConfiguration()),
        proven=Verdict.DELIVERED,
        secrets=(SECRET, PATH),
        declared={"url": "https://hooks.example.com/jobs"},
        recipients=("https://hooks.example.com/jobs",),
        differs={
            # Whatever a receiver answers with a 2xx, it has it; whatever else it answers, it may do better next time.
            **dict.fromkeys(
                ("html", "empty", "rubbish", "deep", "null", "huge", "half_a_body", "drip_body"), Expected(D, 200)
            ),
            "redirect_to_page": Expected(T, 302, "redirected"),
            "redirect_loop": Expected(T, 302, "redirected"),
            "redirect_307": Expected(T, 307, "redirected"),
            "bad_request": Expected(T, 400, "refused"),
            "unauthorized": Expected(T, 401, "refused"),
            "unauthorized_empty": Expected(T, 401, "refused"),
            "payment_required": Expected(T, 402, "refused"),
            "forbidden": Expected(T, 403, "refused"),
            "not_found": Expected(T, 404, "refused"),
            "gone": Expected(Verdict.GONE, 410, "gone"),
            "too_large": Expected(T, 413, "refused"),
            "unprocessable": Expected(T, 422, "refused"),
            "untrusted_certificate": Expected(T, None, "certificate_refused"),
        },
    ),
}
