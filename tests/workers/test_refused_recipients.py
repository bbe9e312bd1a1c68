"""Who is suppressed, or not allowed, is not told, and the delivery says why; what is heard early is not undone."""

import asyncio
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text
from tests.workers.conftest import working
from tests.workers.test_notifier import TOLD, ok, settled, stand_in, tries

from perdure.bootstrap import opened_platform
from perdure.core.feedback import FeedbackTaking
from perdure.models.delivery import DeliveryStatus
from perdure.models.feedback import Feedback, FeedbackKind
from perdure.models.suppression import SuppressionReason
from perdure.signals import NotificationTried

__all__ = ["stand_in"]
BOB = TOLD | {"context": {"email": "bob@example.com"}}


@pytest.fixture
def settings(settings, stand_in):
    changed = {
        "mailtrap_api_key": SecretStr("s3cret-key"),
        "mailtrap_inbox_id": "42",
        "mailtrap_api_host": stand_in.url,
        "public_url": "https://jobs.example.com",
        "secret": SecretStr("a-secret-of-the-tests"),
    }
    return settings.model_copy(update=changed)


async def outcome(bench, declared):
    job = await bench.run("test.ok", **declared)
    return await settled(bench, job.job_id)


async def test_who_bounced_once_is_not_mailed_again(platform, stand_in):
    async with working(platform, ok) as bench:
        first = await outcome(bench, TOLD)
        bounced = Feedback(
            delivery_id=first.delivery_id,
            event_id="e1",
            provider="mailtrap",
            kind=FeedbackKind.BOUNCED,
            occurred_at=first.created_at,
        )
        await FeedbackTaking(platform.database, platform.signals).take([bounced])
        second = await outcome(bench, TOLD | {"context": {"email": "ADA@example.com"}})
        assert await tries(bench, second) == []
        assert (await outcome(bench, BOB)).status is DeliveryStatus.SENT
        await platform.suppression_commands.remove("ada@example.com")
        assert (await outcome(bench, TOLD)).status is DeliveryStatus.SENT
    assert (second.status, second.reason, second.attempts) == (DeliveryStatus.SUPPRESSED, "bounced", 0)
    assert [one.mail["to"][0]["email"][0] for one in stand_in.received] == ["a", "b", "a"]


async def test_a_bounce_that_comes_before_the_answer_stays(platform, stand_in):
    """Mailtrap says what became of the mail while we still wait to hear that it was taken."""
    taking, loop = FeedbackTaking(platform.database, platform.signals), asyncio.get_running_loop()

    def bounce(request):
        said = Feedback(
            delivery_id=UUID(request.mail["custom_variables"]["delivery_id"]),
            event_id="e1",
            provider="mailtrap",
            kind=FeedbackKind.BOUNCED,
            occurred_at=platform.database.clock.now(),
        )
        asyncio.run_coroutine_threadsafe(taking.take([said]), loop).result(10)

    stand_in.announce = bounce
    async with working(platform, ok) as bench:
        concluded = asyncio.create_task(platform.signals.wait_for(NotificationTried))
        job = await bench.run("test.ok", **TOLD)
        await asyncio.wait_for(concluded, 10)
        [delivery] = await bench.deliveries(job.job_id)
        assert [one["verdict"] for one in await tries(bench, delivery)] == ["accepted"]
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.BOUNCED, 1)


async def test_the_list_is_asked_once_for_many(platform, stand_in):
    await platform.suppression_commands.add(["ada@example.com"], SuppressionReason.MANUAL, None, "test")
    async with working(platform, ok, notifier=None) as bench:
        for declared in (TOLD, BOB) * 3:
            await bench.run("test.ok", **declared)
    asked = []
    event.listen(platform.database.engine.sync_engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    notifier = platform.runtime(run_worker=False).notifier
    await notifier.tick()
    await notifier.tick()
    assert sum("perdure.suppressions" in statement for statement in asked) == 1, "and not for nobody"
    received = await asyncio.to_thread(stand_in.wait_for, 3)
    assert [one.mail["to"][0]["email"] for one in received] == ["bob@example.com"] * 3


async def test_only_who_is_allowed_is_reached(settings, signals, database, stand_in):
    changed = settings.model_copy(update={"allowed_recipients": ("bob@example.com",)})
    async with opened_platform(changed, signals=signals) as platform, working(platform, ok) as bench:
        refused, reached = await outcome(bench, TOLD), await outcome(bench, BOB)
    assert (refused.status, refused.reason) == (DeliveryStatus.SKIPPED, "recipient_not_allowed")
    assert reached.status is DeliveryStatus.SENT
    assert len(stand_in.received) == 1


async def test_a_mail_offers_the_link_of_its_own_delivery(platform, stand_in):
    async with working(platform, ok) as bench:
        delivery = await outcome(bench, TOLD)
    [received] = stand_in.received
    headers = received.mail["headers"]
    assert headers["List-Unsubscribe"] == f"<{platform.unsubscribe_links.url(delivery.delivery_id)}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    async with platform.database.snapshot() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM perdure.suppressions"))).scalar_one() == 0
