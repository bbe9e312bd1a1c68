"""The operator's own channel: whoever subscribed is told, whatever the job declares, and nobody twice."""

from dataclasses import replace
from typing import Any

import pytest
from tests.core.notifications.jobs import NOW, ended_job
from tests.core.notifications.test_dispatcher import EMAIL, Crowd
from uuid_utils.compat import uuid7

from perdure.core.notifications.dispatcher import NotificationDispatcher, Outbox
from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import Recipients
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.models.delivery import DeliveryStatus
from perdure.models.job import Job
from perdure.models.subscription import Subscription, Subscriptions

CROWD = Crowd(Recipients(("ops", "boss")))


def a_subscription(**changes: Any) -> Subscription:
    fields: dict[str, Any] = {
        "name": "ops",
        "job_type": None,
        "queue": None,
        "events": ("FAILURE",),
        "notifications": {"crowd": {}},
        "created_at": NOW,
        "updated_at": NOW,
        "set_by": "local",
    }
    return Subscription(**fields | changes)


def told(
    job: Job, event: JobEvent, *subscriptions: Subscription, providers: tuple[Any, ...] = (EMAIL, CROWD)
) -> Outbox:
    outbox = Outbox()
    NotificationDispatcher(ProviderRegistry(providers), outbox, NOW, Subscriptions(subscriptions)).dispatch(job, event)
    return outbox


@pytest.mark.parametrize("notifications", [None, {}, {"email": {"enabled": False}}, [], "rubbish"])
def test_the_operator_is_told_whatever_the_job_declares(notifications):
    outbox = told(ended_job(notifications=notifications), JobEvent.FAILURE, a_subscription())
    deliveries = [one for one in outbox.deliveries if one.subscription is not None]
    assert [(one.channel, one.recipient, one.subscription) for one in deliveries] == [
        ("crowd", "ops", "ops"),
        ("crowd", "boss", "ops"),
    ]
    assert {one.status for one in deliveries} == {DeliveryStatus.PENDING}
    intent = outbox.intents[-1]
    assert (intent.subscription, intent.channels) == ("ops", {"crowd": "PENDING"})
    assert deliveries[0].resend(uuid7(), NOW).subscription == "ops"


@pytest.mark.parametrize(
    ("changes", "event", "wanted"),
    [
        ({}, JobEvent.FAILURE, True),
        ({}, JobEvent.SUCCESS, False),
        ({"events": ("SUCCESS", "CANCELLED")}, JobEvent.CANCELLED, True),
        ({"job_type": "csv.profile"}, JobEvent.FAILURE, True),
        ({"job_type": "csv"}, JobEvent.FAILURE, False),
        ({"queue": "default"}, JobEvent.FAILURE, True),
        ({"queue": "other"}, JobEvent.FAILURE, False),
        ({"job_type": "csv.profile", "queue": "other"}, JobEvent.FAILURE, False),
    ],
)
def test_it_is_about_a_type_a_queue_and_events(changes, event, wanted):
    outbox = told(ended_job(notifications=None), event, a_subscription(**changes))
    assert [one.event for one in outbox.deliveries] == [event.value, event.value] * wanted
    assert len(outbox.intents) == wanted


def test_nobody_is_told_twice_and_the_jobs_own_people_come_first():
    job = ended_job(notifications={"crowd": {"on": ["FAILURE"]}})
    outbox = told(job, JobEvent.FAILURE, a_subscription())
    assert [(one.recipient, one.subscription) for one in outbox.deliveries] == [("ops", None), ("boss", None)]
    assert [one.subscription for one in outbox.intents] == [None], "it adds nobody, so it says nothing"
    two = [a_subscription(name="b"), a_subscription(name="a")]
    assert {one.subscription for one in told(ended_job(), JobEvent.FAILURE, *two).deliveries} == {None, "a"}


def test_the_context_of_the_job_names_nobody_for_it():
    """Its user is not told behind the back of the job's own declaration."""
    job = ended_job(notifications=None, context={"email": "reader@example.com"})
    [delivery] = told(job, JobEvent.FAILURE, a_subscription(notifications={"email": {}})).deliveries
    assert (delivery.recipient, delivery.reason, delivery.subscription) == (None, "no_recipient", "ops")
    assert delivery.snapshot["user_id"] is None
    [told_of] = told(replace(job, context={"user_id": "u-17"}), JobEvent.FAILURE, a_subscription()).deliveries[:1]
    assert told_of.snapshot["user_id"] == "u-17", "but what is told is the job as it is"


def test_a_provider_that_stumbles_costs_its_own_telling_alone():
    job = ended_job(notifications={"email": {}})
    broken = Crowd(RuntimeError("ops"))
    outbox = told(job, JobEvent.FAILURE, a_subscription(), providers=(EMAIL, broken))
    assert [(one.channel, one.status.value, one.subscription) for one in outbox.deliveries] == [
        ("email", "PENDING", None),
        ("crowd", "SKIPPED", "ops"),
    ]
    assert outbox.intents[1].cause == "crowd: the provider raised RuntimeError"
