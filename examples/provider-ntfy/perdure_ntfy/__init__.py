"""Push messages through ntfy (ntfy.sh, or a server of your own) when a job ends.

```json
{"notifications": {"ntfy": {"topic": "nightly-builds", "on": ["FAILURE"]}}}
```

``NTFY_URL`` is the server, ``NTFY_TOKEN`` an access token where it asks for one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from perdure.providers import (
    Answer,
    Attempt,
    ChannelOptions,
    ConfigurationError,
    DeliveryPolicy,
    Evaluation,
    Finding,
    HttpSender,
    Job,
    JobEvent,
    Level,
    Message,
    NoAnswer,
    ReadVariable,
    Recipients,
    Skip,
    SkipReason,
    Verdict,
    attempt_of,
    declared_options,
    document_of,
    judge,
    judge_refusal,
    judge_silence,
    judge_unproven,
    unbuildable,
    unconfigured,
)

DEADLINE_SECONDS = 10.0
MAX_TEXT = 3_500
"""ntfy makes an attachment of what is longer than 4 KiB."""

Topic = Annotated[str, Field(pattern=r"^[-_A-Za-z0-9]{1,64}$", description="who has subscribed to it is told")]


class NtfyOptions(ChannelOptions):
    topic: Topic


class NtfyProvider:
    """The channel ``ntfy``: a recipient is a topic."""

    contract: ClassVar[int] = 1
    channel: ClassVar[str] = "ntfy"
    options: ClassVar[type[ChannelOptions]] = NtfyOptions

    name = "ntfy"
    policy = DeliveryPolicy(
        delays_seconds=(5, 30, 120, 600), max_age_seconds=3_600, deadline_seconds=DEADLINE_SECONDS, max_in_flight=5
    )

    def __init__(self, url: str | None, token: str | None = None, sender: HttpSender | None = None) -> None:
        if url is not None and not url.startswith(("https://", "http://")):
            raise ConfigurationError("NTFY_URL must be a URL such as https://ntfy.sh.")
        self._url = url
        self._token = token
        self._sender = sender or HttpSender(DEADLINE_SECONDS)

    @classmethod
    def from_environment(cls, read: ReadVariable) -> NtfyProvider:
        return cls(read("NTFY_URL"), read("NTFY_TOKEN"))

    def destination(self, _recipient: str) -> str:
        return "ntfy"

    def missing_settings(self) -> Sequence[str]:
        return ["NTFY_URL"] if self._url is None else []

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        options = declared_options(job, self.channel, NtfyOptions)
        if options is None:
            return Skip(SkipReason.CHANNEL_DISABLED)
        return judge(options, event) or Recipients((options.topic,))

    async def send(self, message: Message) -> Attempt:
        if self._url is None:
            return unconfigured(["NTFY_URL"])
        said = {
            "topic": message.recipient,
            "title": message.subject,
            "message": message.text[:MAX_TEXT],
            "priority": 4 if message.event is JobEvent.FAILURE else 3,
            **({} if message.url is None else {"click": message.url}),
        }
        try:
            body = json.dumps(said).encode()
        except (TypeError, ValueError) as error:
            return unbuildable(error)
        headers = self._headers() | {"X-Delivery-Id": str(message.delivery_id)}
        return self._judged(await self._sender.post(self._url, headers, body))

    async def check(self) -> Sequence[Finding]:
        if self._url is None:
            return [Finding(Level.WARN, "not configured (NTFY_URL): its messages end as SKIPPED", "Set it.")]
        answer = await self._sender.get(f"{self._url.rstrip('/')}/v1/health", self._headers())
        if isinstance(answer, Answer) and answer.status_code == 200:
            return [Finding(Level.OK, "the server is there")]
        return [Finding(Level.WARN, "the server did not say that it is well", "Check NTFY_URL, and the network.")]

    async def aclose(self) -> None:
        await self._sender.aclose()

    def _headers(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    def _judged(self, answer: Answer | NoAnswer) -> Attempt:
        """Every answer has its verdict; only one that names the message proves that it was taken."""
        if isinstance(answer, NoAnswer):
            return judge_silence(answer)
        secrets = [] if self._token is None else [self._token]
        if not answer.is_success:
            return judge_refusal(answer, f"ntfy answered {answer.status_code}", secrets)
        match document_of(answer):
            case {"id": str(message_id)}:
                return attempt_of(answer, Verdict.ACCEPTED, provider_message_id=message_id, secrets=secrets)
            case _:
                return judge_unproven(answer, "ntfy did not name a message", secrets)
