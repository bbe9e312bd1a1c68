"""Webhook endpoints at work, against a receiver that verifies: rotation, 410, a removal, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import WebhookVerificationError
from tests.stand_in.receiver import LOOPBACK, Receiver, Reply, verified
from tests.workers.conftest import working
from tests.workers.test_notifier import ok, tries

from perdure.bootstrap import Platform, opened_platform
from perdure.core.endpoint_commands import EndpointCommands
from perdure.errors import Conflict
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.webhook_endpoint import DisabledReason
from perdure.schemas.subscription import SubscriptionWrite
from perdure.signals import EndpointChanged, NotificationSettled

TO_CRM = {"notifications": {"webhook": {"endpoint": "crm"}}}
HOUR = timedelta(hours=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
async def platform(settings, signals, database) -> AsyncIterator[Platform]:
    """No signing secret of the platform's own is set: endpoints bring theirs."""
    changed = {"webhook_allow_cidrs": LOOPBACK, "webhook_retry_seconds": (0.05, 0.05)}
    async with opened_platform(settings.model_copy(update=changed), signals=signals) as platform:
        yield platform


@pytest.fixture
def endpoints(platform) -> EndpointCommands:
    return EndpointCommands(platform.database, platform.providers, platform.wakeup, platform.signals)


async def told(bench, **declared) -> Delivery:
    """Runs a job and returns its one delivery, once that is settled."""
    settled: asyncio.Queue[NotificationSettled] = asyncio.Queue()
    bench.platform.signals.subscribe(NotificationSettled, settled.put_nowait)
    job = await bench.run("test.ok", **TO_CRM | declared)
    while (await asyncio.wait_for(settled.get(), 10)).job_id != job.job_id:
        pass
    [delivery] = await bench.deliveries(job.job_id)
    return delivery


async def test_it_is_called_with_its_own_secret_and_after_a_rotation_with_both(platform, endpoints, receiver):
    _, first = await endpoints.set("crm", receiver.url + "/hook", "ada")
    async with working(platform, ok) as bench:
        delivery = await told(bench)
        _, second = await endpoints.rotate("crm", "ada")
        await told(bench)
    assert (delivery.status, delivery.recipient) == (DeliveryStatus.DELIVERED, "endpoint:crm")
    before, after = receiver.received
    assert verified(before, first)["type"] == "job.succeeded"
    assert verified(after, first)
    assert verified(after, second)
    with pytest.raises(WebhookVerificationError):
        verified(before, second)


async def test_one_that_is_gone_is_called_no_more_and_what_failed_is_sent_again_once(platform, endpoints, receiver):
    changes = []
    platform.signals.subscribe(EndpointChanged, changes.append)
    await endpoints.set("crm", receiver.url, "ada")
    receiver.replies.append(Reply(410))
    started = platform.database.clock.now()
    async with working(platform, ok) as bench:
        refused = await told(bench)
        endpoint = await endpoints.get("crm")
        unsent = await told(bench)
        assert [(one.status, one.reason) for one in (refused, unsent)] == [
            (DeliveryStatus.FAILED, "endpoint_disabled")
        ] * 2
        [said] = await tries(bench, unsent)
        assert len(receiver.received) == 1, "the second was not even tried"
        assert (endpoint.reason, said["error_type"]) == (DisabledReason.GONE, "endpoint_disabled")
        await endpoints.enable("crm", "ada")
        assert await endpoints.recover("crm", started + HOUR, "ada") == (0, True)
        sent = asyncio.create_task(asyncio.to_thread(receiver.wait_for, 3))
        assert await endpoints.recover("crm", started - HOUR, "ada") == (2, True)
        await sent
        assert await endpoints.recover("crm", started - HOUR, "ada") == (0, True), "once"
        again = [one for job in (refused, unsent) for one in await bench.deliveries(job.job_id)]
        assert {one.resend_of for one in again} == {None, refused.delivery_id, unsent.delivery_id}
    assert [(one.change, one.by, one.reason) for one in changes if one.change in ("disabled", "enabled")] == [
        ("disabled", None, "gone"),
        ("enabled", "ada", None),
    ]


async def test_a_name_that_leads_nowhere_fails_at_once_and_the_job_never_knew(platform, endpoints, receiver):
    async with working(platform, ok) as bench:
        delivery = await told(bench)
    assert (delivery.status, delivery.reason, delivery.attempts) == (DeliveryStatus.FAILED, "endpoint_disabled", 1)
    assert receiver.received == []


async def test_a_url_still_needs_the_secret_of_the_platform(platform, receiver):
    async with working(platform, ok) as bench:
        delivery = await told(bench, notifications={"webhook": {"url": receiver.url}})
    assert (delivery.status, delivery.reason) == (DeliveryStatus.SKIPPED, "provider_not_configured")
    assert receiver.received == []


async def test_a_delivery_that_waits_follows_an_endpoint_that_moves(platform, endpoints, receiver):
    await endpoints.set("crm", receiver.url + "/old", "ada")
    receiver.replies.append(Reply(500, headers={"Retry-After": "1"}))
    async with working(platform, ok) as bench:
        task = asyncio.create_task(told(bench))
        await asyncio.to_thread(receiver.wait_for, 1)
        await endpoints.set("crm", receiver.url + "/new", "ada")
        delivery = await task
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 2)
    assert [request.path for request in receiver.received] == ["/old", "/new"]


async def test_failures_are_noted_and_a_success_forgets_them(platform, endpoints, receiver):
    await endpoints.set("crm", receiver.url, "ada")
    receiver.replies += [Reply(500)] * 3
    async with working(platform, ok) as bench:
        assert (await told(bench)).reason == "exhausted"
        assert (await endpoints.get("crm")).failing_since is not None
        assert (await told(bench)).status is DeliveryStatus.DELIVERED
        assert (await endpoints.get("crm")).failing_since is None


async def test_a_test_call_arrives_and_leaves_no_trace(platform, endpoints, receiver):
    _, secret = await endpoints.set("crm", receiver.url, "ada")
    made = await endpoints.test("crm")
    [request] = receiver.received
    assert (made.arrived, request.headers["webhook-id"]) == (True, str(made.webhook_id))
    assert verified(request, secret)["data"]["job_type"] == "endpoint.test"
    receiver.replies.append(Reply(410))
    assert not (await endpoints.test("crm")).arrived
    assert (await endpoints.get("crm")).failing_since is None


async def test_a_test_call_asks_who_may_be_reached(settings, signals, database, receiver):
    changed = settings.model_copy(update={"webhook_allow_cidrs": LOOPBACK, "allowed_recipients": ("endpoint:other",)})
    async with opened_platform(changed, signals=signals) as platform:
        endpoints = EndpointCommands(platform.database, platform.providers, platform.wakeup, platform.signals)
        for name in ("crm", "other"):
            await endpoints.set(name, receiver.url, "ada")
        with pytest.raises(Conflict, match="PERDURE_ALLOWED_RECIPIENTS"):
            await endpoints.test("crm")
        assert receiver.received == []
        assert (await endpoints.test("other")).arrived


async def test_a_subscription_may_name_one(platform, endpoints, receiver):
    wanted = SubscriptionWrite(events=["SUCCESS"], notifications={"webhook": {"endpoint": "crm"}})
    await endpoints.set("crm", receiver.url, "ada")
    await platform.subscription_commands.set("ops", wanted, "ada")
    async with working(platform, ok) as bench:
        delivery = await told(bench, notifications=None)
    assert (delivery.status, delivery.subscription) == (DeliveryStatus.DELIVERED, "ops")
