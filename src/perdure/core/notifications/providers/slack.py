"""Messages to a Slack channel, through an incoming webhook of the operator's.

A webhook answers ``ok`` once the message stands in the channel: the answer is the receipt, and nothing is heard later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

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
from perdure.core.notifications.providers.http_answer import (
    attempt_of,
    judge_refusal,
    judge_silence,
    judge_unproven,
    unbuildable,
    unconfigured,
)
from perdure.core.notifications.providers.slack_configuration import SlackConfiguration
from perdure.core.notifications.providers.slack_message import slack_payload
from perdure.models.delivery import Attempt, SkipReason, Verdict
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.finding import Finding, Level
from perdure.models.job import Job
from perdure.outbound.http_send import Answer, HttpSender, NoAnswer

__all__ = ["SlackConfiguration", "SlackOptions", "SlackProvider"]

RECIPIENT = "slack"
"""Whom deliveries name: the webhook's channel, which only the webhook's URL knows."""
CHECK_SECONDS = 4.0
_HEADERS = {"Content-Type": "application/json"}
_UNUSABLE = b"not a message"
"""What the doctor posts: no JSON, so that Slack cannot but refuse it."""
_ADVICE: Mapping[int, str] = {
    400: "Slack refuses the message",
    403: "Slack does not let the webhook post: check the app and the rules of its channel",
    404: "Slack knows no such webhook: make a new one and set SLACK_WEBHOOK_URL",
    410: "the webhook's channel is archived: make a webhook for another one and set SLACK_WEBHOOK_URL",
    429: "Slack's rate limit is reached",
}


class SlackOptions(ChannelOptions):
    """A message to the channel of the operator's webhook."""


class SlackProvider:
    """The channel ``slack``: one message to the webhook's Slack channel."""

    channel: ClassVar[str] = "slack"
    options: ClassVar[type[ChannelOptions]] = SlackOptions
    name = "slack"

    def __init__(self, configuration: SlackConfiguration, sender: HttpSender | None = None) -> None:
        self._configuration = configuration
        self._sender = sender or HttpSender(configuration.deadline_seconds)

    @property
    def policy(self) -> DeliveryPolicy:
        return self._configuration.policy

    def destination(self, _recipient: str) -> str:
        return "slack"

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        options = declared_options(job, self.channel, SlackOptions)
        if options is None:
            return Skip(SkipReason.CHANNEL_DISABLED)
        return judge(options, event) or Recipients((RECIPIENT,))

    def missing_settings(self) -> Sequence[str]:
        return self._configuration.missing

    async def send(self, message: Message) -> Attempt:
        url = self._configuration.url
        if url is None:
            return unconfigured(self._configuration.missing)
        try:
            body = json.dumps(slack_payload(message), allow_nan=False).encode()
        except Exception as error:  # noqa: BLE001 (one message that cannot be built must not raise into the notifier)
            return unbuildable(error)
        answer = await self._sender.post(url, _HEADERS, body)
        return _judge_answer(answer, self._configuration.secrets)

    async def check(self) -> Sequence[Finding]:
        url = self._configuration.url
        if url is None:
            return [Finding(Level.OK, "not configured (SLACK_WEBHOOK_URL): what is for Slack ends as SKIPPED")]
        sender = HttpSender(CHECK_SECONDS)
        try:
            return [_found(await sender.post(url, _HEADERS, _UNUSABLE))]
        finally:
            await sender.aclose()

    async def aclose(self) -> None:
        await self._sender.aclose()


def _judge_answer(answer: Answer | NoAnswer, secrets: Sequence[str]) -> Attempt:
    """A webhook that Slack refuses by 403, 404 or 410 is the operator's to mend, so the message is kept for then."""
    if isinstance(answer, NoAnswer):
        return judge_silence(answer)
    if answer.is_success:
        if _word(answer) == "ok":
            return attempt_of(answer, Verdict.DELIVERED, secrets=secrets)
        return judge_unproven(answer, "Slack's answer does not prove that it took the message", secrets)
    return judge_refusal(answer, _explained(answer), secrets)


def _explained(answer: Answer) -> str:
    advice = _ADVICE.get(answer.status_code, f"Slack answered {answer.status_code}")
    word = _word(answer)
    return advice if word is None else f"{advice} ({word})"


def _word(answer: Answer) -> str | None:
    """The one word of Slack's that is all of the answer (``ok``, ``no_service``); None where there is none."""
    said = answer.body.decode("ascii", "replace").strip()
    return said if answer.whole and re.fullmatch(r"[a-z_]{1,50}", said) else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _found(answer: Answer | NoAnswer) -> Finding:
    """What the refusal of no message at all tells: that the webhook is there, or why it is not."""
    if isinstance(answer, NoAnswer):
        return Finding(Level.WARN, f"Slack could not be asked: {answer.explanation}", "Check the network from here.")
    if answer.status_code == 400:
        return Finding(Level.OK, "Slack knows the webhook")
    if answer.status_code in (403, 404, 410):
        return Finding(
            Level.FAIL, f"Slack refuses the webhook (status {answer.status_code})", _sentence(_explained(answer))
        )
    return Finding(
        Level.WARN,
        f"Slack did not say whether it knows the webhook (status {answer.status_code})",
        "`perdure deliveries list` shows how messages end.",
    )
