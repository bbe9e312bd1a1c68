"""What Slack alone does: its words, its webhook's URL, and what the doctor says of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from slack_sdk.models.blocks import Block
from slack_sdk.webhook import WebhookClient
from tests.core.notifications.jobs import a_message
from tests.stand_in.slack_server import PATH, SlackStandIn

from perdure.core.notifications.providers import slack
from perdure.core.notifications.providers.slack import SlackConfiguration, SlackProvider
from perdure.errors import ConfigurationError
from perdure.models.delivery import Verdict
from perdure.models.delivery_policy import Rate
from perdure.models.finding import Level

MESSAGE = a_message(recipient="slack")
URL = f"https://hooks.slack.com{PATH}"


@pytest.fixture
def stand_in() -> Iterator[SlackStandIn]:
    with SlackStandIn() as server:
        yield server


@pytest.fixture
async def provider(stand_in) -> AsyncIterator[SlackProvider]:
    provider = SlackProvider(SlackConfiguration(webhook_url=stand_in.webhook_url))
    yield provider
    await provider.aclose()


async def test_the_wire_is_the_same_as_the_sdk_s(stand_in, provider):
    assert (await provider.send(MESSAGE)).verdict is Verdict.DELIVERED
    [ours] = stand_in.received
    payload = ours.document | {"blocks": [Block.parse(block) for block in ours.document["blocks"]]}
    client = WebhookClient(stand_in.webhook_url, retry_handlers=[])
    await asyncio.to_thread(client.send, **payload)
    theirs = stand_in.received[1]
    assert (ours.method, ours.path, ours.document) == (theirs.method, theirs.path, theirs.document)
    assert theirs.headers["content-type"].startswith(ours.headers["content-type"])


@pytest.mark.parametrize(
    ("behaviour", "word"),
    [
        ("bad_request", "invalid_payload"),
        ("forbidden", "action_prohibited"),
        ("not_found", "no_service"),
        ("gone", "channel_is_archived"),
        ("server_error", "rollup_error"),
    ],
)
async def test_slack_s_own_word_is_told(stand_in, provider, behaviour, word):
    stand_in.script(behaviour)
    attempt = await provider.send(MESSAGE)
    assert f"({word})" in attempt.message
    assert attempt.response_excerpt == word
    assert ("SLACK_WEBHOOK_URL" in attempt.message) == (behaviour in ("not_found", "gone"))


def test_one_message_a_second():
    policy = SlackProvider(SlackConfiguration()).policy
    assert (policy.rate, policy.ambiguous_retries) == (Rate(1, 1.0), 1)
    assert (policy.max_attempts, policy.max_age_seconds, policy.deadline_seconds) == (5, 3600, 10)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f" {URL}\n",
        SecretStr(URL),
        f"https://hooks.slack-gov.com{PATH}",
        f"https://HOOKS.slack.com:443{PATH}",
        f"http://127.0.0.1:9999{PATH}",
        "http://localhost/",
        "https://[::1]:9/hook",
    ],
)
def test_what_may_be_the_webhook_and_is_never_shown(url):
    configuration = SlackConfiguration(webhook_url=url)
    assert configuration.missing == []
    assert configuration.url == (url.get_secret_value() if isinstance(url, SecretStr) else url).strip()
    assert "3cret" not in f"{configuration!r} {configuration.webhook_url!r} {SlackProvider(configuration)!r}"


@pytest.mark.parametrize("url", [None, "", "  "])
def test_no_webhook_is_no_error(url):
    assert SlackConfiguration(webhook_url=url).missing == ["SLACK_WEBHOOK_URL"]


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.slack.com{PATH}",
        "https://hooks.slack.com/workflows/s3cret",
        "https://hooks.slack.com/triggers/s3cret",
        f"https://hooks.slack.com.example{PATH}",
        f"https://hooks.slack.com@other.example{PATH}",
        f"https://user:s3cret@hooks.slack.com{PATH}",
        f"https://10.0.0.1{PATH}",
        f"{URL}?x=s3cret",
        f"{URL}#s3cret",
        f"{URL} s3cret",
        f"{URL}\r\nX: s3cret",
        f"https://hooks.slack.com:port{PATH}",
        "https://[s3cret",
        "s3cret",
        "ftp://127.0.0.1/s3cret",
    ],
)
def test_what_cannot_be_the_webhook_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigurationError, match="SLACK_WEBHOOK_URL") as raised:
        SlackConfiguration(webhook_url=url)
    assert "s3cret" not in raised.value.detail.lower()
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("behaviour", "level", "said"),
    [
        ("bad_request", Level.OK, "knows the webhook"),
        ("forbidden", Level.FAIL, "action_prohibited"),
        ("not_found", Level.FAIL, "no_service"),
        ("gone", Level.FAIL, "channel_is_archived"),
        ("ok", Level.WARN, "did not say"),
        ("too_many_requests", Level.WARN, "did not say"),
        ("server_error", Level.WARN, "did not say"),
        ("redirect_307", Level.WARN, "did not say"),
        ("close", Level.WARN, "could not be asked"),
        ("hang", Level.WARN, "could not be asked"),
    ],
)
async def test_the_doctor_asks_with_what_slack_can_only_refuse(stand_in, provider, behaviour, level, said, monkeypatch):
    monkeypatch.setattr(slack, "CHECK_SECONDS", 0.5 if behaviour == "hang" else 10)
    stand_in.script(behaviour)
    started = time.monotonic()
    [finding] = await provider.check()
    assert time.monotonic() - started < 3
    assert finding.level is level
    assert said in f"{finding.found} {finding.advice}"
    assert bool(finding.advice) == (level is not Level.OK)
    assert PATH not in f"{finding}"
    [request] = stand_in.received
    with pytest.raises(ValueError):
        json.loads(request.body)
