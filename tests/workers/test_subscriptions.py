"""Subscriptions at work: every final failure is told, by every process, soon after the subscription is set."""

import asyncio

from sqlalchemy import text
from tests.workers.conftest import working
from tests.workers.test_notifier import bad, ok, platform, settled, stand_in

from perdure.bootstrap import opened_platform
from perdure.models.delivery import DeliveryStatus
from perdure.schemas.subscription import SubscriptionWrite
from perdure.signals import NotificationIntended, SubscriptionDeleted, SubscriptionSet
from perdure.workers import subscription_follower

__all__ = ["platform", "stand_in"]

TO_OPS = SubscriptionWrite(job_type="test.bad", notifications={"email": {"to": ["ops@example.com"]}})


async def test_a_final_failure_is_told_to_the_operator_though_the_job_names_nobody(platform, stand_in):
    await platform.subscription_commands.set("ops", TO_OPS, "ada")
    async with working(platform, bad, ok) as bench:
        retried = {"max_retries": 1, "retry": {"base_seconds": 0.01, "max_seconds": 0.01}}
        failed = await bench.run("test.bad", **retried)
        delivery = await settled(bench, failed.job_id)
        succeeded = await bench.run("test.ok")
        assert await bench.deliveries(succeeded.job_id) == []
    assert (delivery.status, delivery.subscription, delivery.event) == (DeliveryStatus.SENT, "ops", "FAILURE")
    [request] = stand_in.received
    assert request.mail["to"] == [{"email": "ops@example.com"}]


async def test_whoever_ends_a_job_tells_the_operator(platform, stand_in):
    cancelled = TO_OPS.model_copy(update={"events": ["CANCELLED"], "queue": "by-hand"})
    await platform.subscription_commands.set("ops", cancelled, "ada")
    async with working(platform, bad, queues=("elsewhere",)) as bench:
        job = await bench.submit("test.bad", queue="by-hand")
        await platform.commands.cancel(job.job_id)
        delivery = await settled(bench, job.job_id)
    assert (delivery.event, delivery.subscription) == ("CANCELLED", "ops")


async def test_another_process_knows_at_once_and_forgets_at_once(platform, settings, stand_in):
    async with opened_platform(settings) as other, other.runtime(run_worker=False).running():
        woken = asyncio.Event()
        refresh = other.subscriptions.refresh

        async def noted() -> None:
            await refresh()
            woken.set()

        other.subscriptions.refresh = noted
        commands = platform.subscription_commands
        for change in (commands.set("ops", TO_OPS, "ada"), commands.delete("ops", "ada")):
            before = bool(other.subscriptions.known)
            await change
            async with asyncio.timeout(5):
                while bool(other.subscriptions.known) is before:
                    woken.clear()
                    await woken.wait()


async def test_a_change_of_which_nobody_hears_is_found_by_looking(platform, stand_in, monkeypatch):
    monkeypatch.setattr(subscription_follower, "POLL_SECONDS", 0.1)
    async with working(platform, bad) as bench:
        await bench.run("test.bad", max_retries=0)
        async with platform.database.transaction() as connection:  # nobody rings
            await connection.execute(
                text("""
                    INSERT INTO perdure.subscriptions
                    VALUES ('ops', NULL, NULL, '{FAILURE}', '{"email": {"to": ["ops@example.com"]}}', now(), now(), 'x')
                """)
            )
        told = []
        async with asyncio.timeout(10):
            while not told:
                job = await bench.run("test.bad", max_retries=0)
                told = await bench.deliveries(job.job_id)


async def test_what_is_done_to_subscriptions_is_said_and_an_intent_names_its_own(platform, stand_in):
    said = []
    for kind in (SubscriptionSet, SubscriptionDeleted, NotificationIntended):
        platform.signals.subscribe(kind, said.append)
    await platform.subscription_commands.set("ops", TO_OPS, "ada")
    async with working(platform, bad) as bench:
        job = await bench.run("test.bad", max_retries=0)
        await settled(bench, job.job_id)
    await platform.subscription_commands.delete("ops", "ada")
    made, intended, deleted = said
    assert (made, deleted) == (SubscriptionSet("ops", "ada"), SubscriptionDeleted("ops", "ada"))
    assert (intended.job_id, intended.subscription, intended.channels) == (job.job_id, "ops", {"email": "PENDING"})
