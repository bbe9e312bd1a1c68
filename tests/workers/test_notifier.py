"""Tellings, from the transition to the audit, against a stand-in for Mailtrap; and what providers cannot do."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.stand_in.mailtrap_server import MailtrapStandIn
from tests.workers.conftest import working

from perdure.bootstrap import opened_platform
from perdure.core.notifications.providers.base import (
    ChannelOptions,
    Evaluation,
    Message,
    Recipients,
    declared_options,
    judge,
)
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.models.circuit import Call
from perdure.models.delivery import Attempt, Delivery, DeliveryStatus, Verdict
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.lifecycle import JobStatus
from perdure.processors.base import processor
from perdure.repositories.delivery_claims import DeliveryClaims, Served
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.settings import Settings
from perdure.signals import NotificationFailed, NotificationIntended, NotificationSettled
from perdure.workers.concluded import Concluded
from perdure.workers.notifier import Notifier

TOLD = {
    "context": {"email": "ada@example.com"},
    "notifications": {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}},
}
MAILS = Served(channel="email", provider="mailtrap", slots=1), "mailtrap"
SETTLED = {DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.SKIPPED, DeliveryStatus.SUPPRESSED}


@processor("test.ok")
async def ok(payload: dict) -> str:
    return "fine"


@processor("test.bad")
async def bad(payload: dict) -> None:
    raise ValueError("broken")


@pytest.fixture
def stand_in():
    with MailtrapStandIn() as server:
        yield server


@pytest.fixture
async def platform(settings: Settings, signals, database, stand_in):
    """Like the ordinary one, with Mailtrap's variables set to the stand-in."""
    changed = {
        "mailtrap_api_key": SecretStr("s3cret-key"),
        "mailtrap_inbox_id": "42",
        "mailtrap_api_host": stand_in.url,
    }
    async with opened_platform(settings.model_copy(update=changed), signals=signals) as platform:
        yield platform


async def settled(bench, job_id) -> Delivery:
    """The job's one delivery, once nothing more will happen to it."""
    news = asyncio.create_task(bench.platform.signals.wait_for(NotificationSettled))
    await asyncio.sleep(0)
    [delivery] = await bench.deliveries(job_id)
    if delivery.status not in SETTLED:
        await asyncio.wait_for(news, 10)
        [delivery] = await bench.deliveries(job_id)
    news.cancel()
    assert delivery.status in SETTLED
    return delivery


async def tries(bench, delivery):
    async with bench.platform.database.snapshot() as connection:
        return await DeliveryQueries(connection).tries(delivery.delivery_id)


async def test_a_success_is_told_once_and_the_try_is_on_record(platform, stand_in):
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
        [one] = await tries(bench, delivery)
    assert (delivery.status, delivery.event, delivery.attempts) == (DeliveryStatus.SENT, "SUCCESS", 1)
    assert (one["number"], one["verdict"], one["status_code"]) == (1, "accepted", 200)
    [request] = stand_in.received
    assert request.path == "/api/send/42"


async def test_a_failure_is_told_at_the_end_and_not_at_each_attempt(platform, stand_in):
    async with working(platform, bad) as bench:
        job = await bench.run("test.bad", max_retries=2, retry={"base_seconds": 0.01, "max_seconds": 0.01}, **TOLD)
        delivery = await settled(bench, job.job_id)
    assert (job.attempt, delivery.event) == (3, "FAILURE")
    assert len(stand_in.received) == 1


async def test_a_new_run_is_told_anew(platform, stand_in):
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        await settled(bench, job.job_id)
        again = asyncio.create_task(bench.platform.signals.wait_for(NotificationSettled))
        await asyncio.sleep(0)
        await bench.platform.commands.retry(job.job_id)
        await asyncio.wait_for(again, 10)
        deliveries = await bench.deliveries(job.job_id)
    assert [delivery.run for delivery in deliveries] == [1, 2]
    assert len(stand_in.received) == 2


async def test_a_resend_tells_the_same_once_more(platform, stand_in):
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        first = await settled(bench, job.job_id)
        sent = asyncio.create_task(bench.platform.signals.wait_for(NotificationSettled))
        await asyncio.sleep(0)
        again = await bench.platform.delivery_commands.resend(first.delivery_id, "local")
        assert (await asyncio.wait_for(sent, 10)).delivery_id == again.delivery_id
    one, other = (request.mail for request in stand_in.received)
    assert (one["to"], one["subject"]) == (other["to"], other["subject"])


async def test_a_provider_that_fails_for_a_while_is_tried_again(platform, stand_in):
    stand_in.script("server_error", "server_error", "ok")
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
        found = await tries(bench, delivery)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 3)
    assert [one["verdict"] for one in found] == ["transient", "transient", "accepted"]
    ids = {request.mail["custom_variables"]["delivery_id"] for request in stand_in.received}
    assert ids == {str(delivery.delivery_id)}, "each try names the same delivery"


async def test_tries_end_with_the_policy_and_the_job_never_knew(platform, stand_in):
    stand_in.script(*["server_error"] * 10)
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
        after = await bench.get(job.job_id)
    assert (delivery.status, delivery.reason, delivery.attempts) == (DeliveryStatus.FAILED, "exhausted", 3)
    assert (after.status, after.result) == (JobStatus.SUCCEEDED, "fine")


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"context": {"email": "a@b.co"}, "notifications": {"email": {"enabled": False}}}, "channel_disabled"),
        ({"context": {"email": "a@b.co"}, "notifications": {"email": {"on": ["FAILURE"]}}}, "event_not_selected"),
        ({"context": {"email": "a@b.co"}, "notifications": {"email": {"on": []}}}, "event_not_selected"),
        ({"notifications": {"email": {}}}, "no_recipient"),
        ({"context": {"email": None}, "notifications": {"email": {}}}, "no_recipient"),
    ],
)
async def test_a_silence_leaves_its_reason_and_no_call(platform, stand_in, declared, reason):
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **declared)
        delivery = await settled(bench, job.job_id)
    assert (delivery.status, delivery.reason, delivery.attempts) == (DeliveryStatus.SKIPPED, reason, 0)
    assert stand_in.received == []


@pytest.mark.parametrize("notifications", [None, {}, {"email": None}])
async def test_a_job_that_declares_nothing_pays_nothing(platform, notifications):
    intents = []
    platform.signals.subscribe(NotificationIntended, intents.append)
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", notifications=notifications)
        assert await bench.deliveries(job.job_id) == []
    assert intents == []


async def test_without_a_configured_provider_there_is_the_line_and_the_row(settings, signals, database, caplog):
    async with opened_platform(settings, signals=signals) as platform, working(platform, ok) as bench:
        with caplog.at_level(logging.INFO):
            job = await bench.run("test.ok", **TOLD)
            delivery = await settled(bench, job.job_id)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.SKIPPED, "provider_not_configured")


async def test_the_intent_is_said_once_per_event_after_the_commit(platform):
    seen = []

    def note(signal: NotificationIntended) -> None:
        seen.append(signal)

    platform.signals.subscribe(NotificationIntended, note)
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        await settled(bench, job.job_id)
    [intent] = seen
    assert (intent.job_id, intent.event, dict(intent.channels)) == (job.job_id, "SUCCESS", {"email": "PENDING"})


async def test_a_failed_try_is_said_without_secret_or_address(platform, stand_in):
    stand_in.script("server_error", "ok")
    async with working(platform, ok) as bench:
        failed = asyncio.create_task(bench.platform.signals.wait_for(NotificationFailed))
        await asyncio.sleep(0)
        await bench.run("test.ok", **TOLD)
        signal = await asyncio.wait_for(failed, 10)
    assert signal.recipient == "a***@e***.com"
    assert "s3cret" not in repr(signal)
    assert "ada@" not in repr(signal)


async def test_a_sender_that_vanished_is_on_record_as_ambiguous_and_the_mail_is_sent(platform, stand_in):
    async with working(platform, ok, notifier=None) as bench:
        job = await bench.run("test.ok", **TOLD)
    async with platform.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE perdure.deliveries SET status = 'SENDING', attempts = 1, next_attempt_at = now(), "
                "tried_at = now() - interval '77 seconds'"
            )
        )
    async with working(platform, ok) as bench:
        delivery = await settled(bench, job.job_id)
        found = await tries(bench, delivery)
    assert delivery.status is DeliveryStatus.SENT
    assert [(one["number"], one["verdict"]) for one in found] == [(1, "ambiguous"), (2, "accepted")]
    began = (found[1]["started_at"] - found[0]["started_at"]).total_seconds()
    assert 77 <= began < 100, "when it was begun, not when it was missed"


async def test_a_sender_that_vanishes_every_time_is_not_replaced_for_ever(platform, stand_in):
    async with working(platform, ok, notifier=None) as bench:
        job = await bench.run("test.ok", **TOLD)
    async with platform.database.transaction() as connection:
        await connection.execute(
            text("UPDATE perdure.deliveries SET status = 'SENDING', attempts = 3, next_attempt_at = now()")
        )
    async with working(platform, ok) as bench:
        delivery = await settled(bench, job.job_id)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.FAILED, "exhausted")
    assert stand_in.received == []


async def test_one_that_was_called_off_is_not_sent_and_no_sender_of_before_is_believed(platform, stand_in):
    async with working(platform, ok, notifier=None) as bench:
        job = await bench.run("test.ok", **TOLD)
    async with platform.database.transaction() as connection:
        [first] = await DeliveryClaims(connection).claim([MAILS], -1.0)  # its lease is over at once
    async with platform.database.transaction() as connection:
        deliveries = DeliveryRepository(connection)
        [second] = await DeliveryClaims(connection).claim([MAILS], 60.0)
        failed = Attempt(verdict=Verdict.TRANSIENT)
        policy = DeliveryPolicy(delays_seconds=(0.0, 0.0), max_age_seconds=60, deadline_seconds=1)
        await deliveries.apply([second.delivery.conclude(failed, platform.database.clock.now(), policy)])
    await platform.delivery_commands.cancel(second.delivery.delivery_id, "local")
    accepted = Attempt(verdict=Verdict.ACCEPTED)
    said = []
    platform.signals.subscribe(NotificationSettled, said.append)
    renderer = MessageRenderer(None)
    notifier = Notifier(platform.database, platform.signals, platform.wakeup, platform.providers, renderer)
    late = [one.delivery.conclude(accepted, platform.database.clock.now(), policy) for one in (first, second)]
    call = Call(provider="mailtrap", destination="mailtrap", was_probe=False, was_troubled=False)
    await notifier._save([Concluded(one, call) for one in late])
    await notifier.tick()
    [delivery] = await bench.deliveries(job.job_id)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.CANCELLED, 2)
    assert (said, stand_in.received) == ([], []), "nobody hears what was not written"


async def test_a_sender_whose_lease_ended_writes_nothing_over_the_one_who_has_it_now(platform, stand_in):
    async with working(platform, ok, notifier=None) as bench:
        job = await bench.run("test.ok", **TOLD)
    async with platform.database.transaction() as connection:
        [first] = await DeliveryClaims(connection).claim([MAILS], -1.0)  # its lease is over at once
    async with platform.database.transaction() as connection:
        [second] = await DeliveryClaims(connection).claim([MAILS], 60.0)
    now, policy = platform.database.clock.now(), DeliveryPolicy((0.0,), max_age_seconds=60, deadline_seconds=1)
    refused, accepted = Attempt(verdict=Verdict.PERMANENT), Attempt(verdict=Verdict.ACCEPTED)
    async with platform.database.transaction() as connection:
        deliveries = DeliveryRepository(connection)
        assert await deliveries.apply([first.delivery.conclude(refused, now, policy)]) == set()
        assert len(await deliveries.apply([second.delivery.conclude(accepted, now, policy)])) == 1
    [delivery] = await bench.deliveries(job.job_id)
    assert delivery.status is DeliveryStatus.SENT


class RudeProvider:
    """Breaks every promise of a provider."""

    channel = "email"
    options = ChannelOptions
    name = "rude"
    policy = DeliveryPolicy(delays_seconds=(0.01,), max_age_seconds=60, deadline_seconds=0.05)

    def __init__(self, behaviour) -> None:
        self.behaviour = behaviour

    def destination(self, recipient: str) -> str:
        return "rude"

    def evaluate(self, job, event) -> Evaluation:
        options = declared_options(job, self.channel, self.options)
        return judge(options, event) or Recipients(("ada@example.com",))

    def missing_settings(self) -> Sequence[str]:
        return ()

    async def send(self, message: Message) -> Attempt:
        return await self.behaviour()

    async def aclose(self) -> None:
        return None


async def hang():
    await asyncio.Event().wait()


async def explode():
    raise RuntimeError("Bearer s3cret-key for ada@example.com")


@pytest.mark.parametrize(("behaviour", "error_type"), [(hang, "deadline"), (explode, "RuntimeError")])
async def test_nothing_that_a_provider_does_reaches_the_job(platform, monkeypatch, behaviour, error_type):
    monkeypatch.setattr("perdure.workers.sending.PROVIDER_GRACE_SECONDS", 0.0)
    providers = ProviderRegistry([RudeProvider(behaviour)])
    notifier = Notifier(platform.database, platform.signals, platform.wakeup, providers, MessageRenderer(None))
    async with working(platform, ok, notifier=notifier) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
        found = await tries(bench, delivery)
        assert (await bench.get(job.job_id)).status is JobStatus.SUCCEEDED
    assert (delivery.status, delivery.reason) == (DeliveryStatus.FAILED, "exhausted")
    assert [(one["verdict"], one["error_type"]) for one in found] == [(Verdict.AMBIGUOUS, error_type)] * 2
    assert all("s3cret" not in str(dict(one)) and "ada@" not in str(dict(one)) for one in found)


UNFIT = Attempt(
    verdict=Verdict.ACCEPTED,
    status_code=10**12,
    error_type=7,
    message="a\x00b\ud800 Bearer s3cret for ada@example.com" + "x" * 9_000,
    retry_after_seconds=float("nan"),
    provider_message_id=["m1"],
    response_excerpt="y" * 9_000,
)


@pytest.mark.parametrize(
    ("answer", "status", "verdicts"),
    [
        (None, DeliveryStatus.FAILED, ["ambiguous"] * 2),
        ("sent", DeliveryStatus.FAILED, ["ambiguous"] * 2),
        (replace(UNFIT, verdict="accepted, surely"), DeliveryStatus.FAILED, ["ambiguous"] * 2),
        (replace(UNFIT, verdict=Verdict.TRANSIENT), DeliveryStatus.FAILED, ["transient"] * 2),
        (UNFIT, DeliveryStatus.SENT, ["accepted"]),
    ],
    ids=["nothing", "a word", "no verdict", "unfit, failed", "unfit, sent"],
)
async def test_whatever_a_provider_answers_can_be_kept(platform, answer, status, verdicts):
    async def answering():
        return answer

    providers = ProviderRegistry([RudeProvider(answering)])
    notifier = Notifier(platform.database, platform.signals, platform.wakeup, providers, MessageRenderer(None))
    async with working(platform, ok, notifier=notifier) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
        found = await tries(bench, delivery)
    assert (delivery.status, [one["verdict"] for one in found]) == (status, verdicts)
    assert all(len(one["message"] or "") <= 500 and one["status_code"] is None for one in found)
    assert all("ada@" not in str(dict(one)) and "s3cret" not in str(dict(one)) for one in found)


async def test_a_template_that_breaks_fails_the_delivery_alone(platform, stand_in, monkeypatch):
    def broken(self, delivery):
        raise ValueError("no such field")

    monkeypatch.setattr(MessageRenderer, "render", broken)
    async with working(platform, ok) as bench:
        job = await bench.run("test.ok", **TOLD)
        delivery = await settled(bench, job.job_id)
    assert (delivery.status, delivery.reason) == (DeliveryStatus.FAILED, "rendering_failed")
    assert stand_in.received == []
