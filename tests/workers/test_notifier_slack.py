"""A channel whose answer is the receipt: told beside the mail, DELIVERED at once, and no failed try of it is said."""

import asyncio

import pytest
from pydantic import SecretStr
from tests.stand_in.mailtrap_server import MailtrapStandIn
from tests.stand_in.slack_server import SlackStandIn
from tests.workers.conftest import working

from perdure.bootstrap import opened_platform
from perdure.models.delivery import DeliveryStatus
from perdure.processors.base import processor
from perdure.signals import NotificationFailed, NotificationSettled

TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}, "slack": {"on": ["FAILURE"]}}}


@processor("test.bad")
async def bad(payload: dict) -> None:
    raise ValueError("<!channel> broke")


@pytest.fixture
def slack():
    with SlackStandIn() as server:
        yield server


@pytest.fixture
async def platform(settings, signals, database, slack):
    with MailtrapStandIn() as mailtrap:
        changed = {
            "slack_webhook_url": SecretStr(slack.webhook_url),
            "mailtrap_api_key": SecretStr("s3cret-key"),
            "mailtrap_inbox_id": "42",
            "mailtrap_api_host": mailtrap.url,
        }
        async with opened_platform(settings.model_copy(update=changed), signals=signals) as platform:
            yield platform


async def test_a_failure_is_told_to_slack_and_by_mail_and_both_are_on_record(platform, slack):
    settled: asyncio.Queue[NotificationSettled] = asyncio.Queue()
    failed: list[NotificationFailed] = []
    platform.signals.subscribe(NotificationSettled, settled.put_nowait)
    platform.signals.subscribe(NotificationFailed, failed.append)
    async with working(platform, bad) as bench:
        job = await bench.run("test.bad", max_retries=0, **TOLD)
        for _ in range(2):
            await asyncio.wait_for(settled.get(), 10)
        deliveries = {one.channel: one for one in await bench.deliveries(job.job_id)}
    assert {channel: one.status for channel, one in deliveries.items()} == {
        "email": DeliveryStatus.SENT,
        "slack": DeliveryStatus.DELIVERED,
    }
    assert (deliveries["slack"].recipient, deliveries["slack"].provider, deliveries["slack"].attempts) == (
        "slack",
        "slack",
        1,
    )
    assert failed == [], "a receipt is no failed try"
    [request] = slack.received
    assert "test.bad failed" in request.document["text"]
    assert "&lt;!channel&gt; broke" in request.document["blocks"][1]["text"]["text"]
