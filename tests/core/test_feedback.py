"""Feedback is kept once, rises a delivery, and is remembered: against a real database, whoever comes first."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests import history
from tests.history import Past, Told

from perdure.core.feedback import FeedbackTaking
from perdure.core.retention import Retention, RetentionPolicy
from perdure.models.delivery import Attempt, DeliveryStatus, Verdict
from perdure.models.delivery_policy import DeliveryPolicy
from perdure.models.feedback import Feedback, FeedbackKind
from perdure.repositories.delivery_claims import DeliveryClaims
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.signals import FeedbackHeard, NotificationSettled

POLICY = DeliveryPolicy(delays_seconds=(30,), max_age_seconds=1e9, deadline_seconds=15)


@pytest.fixture
def taking(database, signals):
    return FeedbackTaking(database, signals)


@pytest.fixture
async def sent(database):
    """A delivery that was sent."""
    return await written(database, DeliveryStatus.SENT)


async def written(database, status):
    [job_id] = await history.write(database, [Past(told=[Told(status, ended_days=1)], ended_days=1)])
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.delivery_feedback"))
        [delivery] = await DeliveryQueries(connection).of_job(job_id)
    return delivery


def said(delivery_id: UUID, kind: FeedbackKind, event_id: str = "e1", **changes) -> Feedback:
    defaults = {"provider": "mailtrap", "occurred_at": datetime(2030, 1, 1, tzinfo=UTC)}
    return Feedback(delivery_id=delivery_id, event_id=event_id, kind=kind, **defaults | changes)


async def read(database, delivery_id):
    async with database.snapshot() as connection:
        return await DeliveryQueries(connection).get(delivery_id), await FeedbackRepository(connection).of_delivery(
            delivery_id
        )


async def suppressed(database, *recipients):
    async with database.snapshot() as connection:
        return await SuppressionRepository(connection).reasons(recipients)


async def test_what_is_said_again_is_known(database, taking, sent, signals):
    heard = []
    signals.subscribe(FeedbackHeard, heard.append)
    bounced = said(sent.delivery_id, FeedbackKind.BOUNCED, detail="550 unknown user")
    assert await taking.take([bounced, bounced]) == [bounced]
    async with database.transaction() as connection:
        assert await SuppressionRepository(connection).remove(sent.recipient)
    assert await taking.take([bounced]) == []
    delivery, [row] = await read(database, sent.delivery_id)
    assert (delivery.status, row["detail"]) == (DeliveryStatus.BOUNCED, "550 unknown user")
    assert await suppressed(database, sent.recipient) == {}, "an operator's word holds against a repetition"
    assert [(one.kind, one.status) for one in heard] == [("bounced", "BOUNCED")]


async def test_a_late_bounce_counts_and_an_early_one_stays(database, taking, sent):
    for kind, event_id in [(FeedbackKind.DELIVERED, "a"), (FeedbackKind.BOUNCED, "b"), (FeedbackKind.OPENED, "c")]:
        await taking.take([said(sent.delivery_id, kind, event_id)])
    delivery, rows = await read(database, sent.delivery_id)
    assert (delivery.status, delivery.finished_at) == (DeliveryStatus.BOUNCED, sent.finished_at)
    assert [row["kind"] for row in rows] == ["delivered", "bounced", "opened"]


async def test_soft_bounces_are_told_and_change_nothing(database, taking, sent):
    await taking.take([said(sent.delivery_id, FeedbackKind.SOFT_BOUNCED, detail="mailbox full")])
    delivery, [row] = await read(database, sent.delivery_id)
    assert (delivery, row["detail"]) == (sent, "mailbox full")
    assert await suppressed(database, sent.recipient) == {}


async def test_an_event_that_is_quicker_than_our_commit_is_not_undone_by_it(database, taking):
    """The notifier still sends, as far as we know; what it writes afterwards is refused."""
    sending = await written(database, DeliveryStatus.SENDING)
    await taking.take([said(sending.delivery_id, FeedbackKind.BOUNCED, provider_message_id="m1")])
    concluded = sending.conclude(Attempt(verdict=Verdict.ACCEPTED), database.clock.now(), POLICY)
    async with database.transaction() as connection:
        assert await DeliveryRepository(connection).apply([concluded]) == set()
    delivery, _ = await read(database, sending.delivery_id)
    assert (delivery.status, delivery.provider_message_id) == (DeliveryStatus.BOUNCED, "m1")


async def test_a_mail_that_was_thought_lost_is_not_sent_again(database, taking, signals):
    settled = []
    signals.subscribe(NotificationSettled, settled.append)
    retrying = await written(database, DeliveryStatus.RETRYING)
    await taking.take([said(retrying.delivery_id, FeedbackKind.SOFT_BOUNCED)])
    async with database.transaction() as connection:
        assert await DeliveryClaims(connection).look([]) == [], "nobody is to send it any more"
    delivery, _ = await read(database, retrying.delivery_id)
    assert delivery.status is DeliveryStatus.SENT
    assert [one.status for one in settled] == ["SENT"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FeedbackKind.BOUNCED, "bounced"),
        (FeedbackKind.COMPLAINED, "complained"),
        (FeedbackKind.UNSUBSCRIBED, "unsubscribed"),
        (FeedbackKind.SUPPRESSED, None),
        (FeedbackKind.DELIVERED, None),
    ],
)
async def test_who_bounced_or_complained_is_remembered(database, taking, sent, kind, reason):
    await taking.take([said(sent.delivery_id, kind, recipient="somebody.else@example.com")])
    found = await suppressed(database, sent.recipient.upper(), "somebody.else@example.com")
    assert found == ({} if reason is None else {sent.recipient.upper(): reason})


async def test_of_a_delivery_that_is_gone_the_suppression_is_left(database, taking):
    gone = UUID(int=7)
    assert await taking.take([said(gone, FeedbackKind.COMPLAINED, recipient="Ada@example.com")]) == []
    assert await suppressed(database, "ada@example.com") == {"ada@example.com": "complained"}
    assert (await read(database, gone))[1] == []
    assert await taking.unsubscribe(gone) is None


async def test_many_at_once_leave_each_event_once(database, taking):
    ids = [(await written(database, DeliveryStatus.SENT)).delivery_id for _ in range(5)]
    events = [said(one, FeedbackKind.BOUNCED, f"e{number}") for one in ids for number in range(4)]
    taken = await asyncio.gather(*(taking.take(part) for part in (events, events[::-1], events[5:] + events[:5])))
    assert sum(map(len, taken)) == len(events)
    async with database.snapshot() as connection:
        rows = await connection.execute(text("SELECT count(*) FROM perdure.delivery_feedback"))
        assert rows.scalar_one() == len(events)


async def test_feedback_goes_with_its_delivery(database, taking, sent):
    await taking.take([said(sent.delivery_id, FeedbackKind.BOUNCED)])
    removed = await Retention(database, RetentionPolicy(jobs_days=0.01, audit_days=0.01)).remove_all()
    assert removed["delivery_feedback"] == 1
    assert await suppressed(database, sent.recipient) != {}, "it is no audit"


async def test_a_recipient_unsubscribes_once(database, taking, sent):
    for _ in range(2):
        assert (await taking.unsubscribe(sent.delivery_id)).recipient == sent.recipient
    delivery, [row] = await read(database, sent.delivery_id)
    assert delivery == replace(sent, status=DeliveryStatus.DELIVERED)
    assert (row["provider"], row["kind"]) == ("recipient", "unsubscribed")
    assert abs(row["occurred_at"] - database.clock.now()) < timedelta(minutes=1)
    assert await suppressed(database, sent.recipient) == {sent.recipient: "unsubscribed"}
