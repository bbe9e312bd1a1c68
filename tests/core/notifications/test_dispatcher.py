from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.notifications.jobs import ended_job

from perdure.core.notifications.dispatcher import NO_PROVIDER, NotificationDispatcher, Outbox
from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import ChannelOptions, Evaluation, Recipients
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.models.delivery import DeliveryStatus, SkipReason
from perdure.models.job import Job

NOW = datetime(2030, 1, 31, 12, 0, 1, tzinfo=UTC)
EMAIL = MailtrapEmailProvider(MailtrapConfiguration())


class Crowd(MailtrapEmailProvider):
    """A channel whose recipients, or whose trouble, the test chooses."""

    channel: ClassVar[str] = "crowd"
    options: ClassVar[type[ChannelOptions]] = ChannelOptions

    def __init__(self, answer: Evaluation | Exception) -> None:
        super().__init__(MailtrapConfiguration())
        self._answer = answer

    @property
    def name(self) -> str:
        return "crowd"

    def evaluate(self, job: Job, event: JobEvent) -> Evaluation:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def dispatched(job: Job, event: JobEvent, *providers: Any) -> Outbox:
    outbox = Outbox()
    NotificationDispatcher(ProviderRegistry(providers or [EMAIL]), outbox, NOW).dispatch(job, event)
    return outbox


def test_a_recipient_becomes_a_pending_delivery():
    job = ended_job()
    outbox = dispatched(job, JobEvent.SUCCESS)
    [delivery] = outbox.deliveries
    assert isinstance(delivery.delivery_id, UUID)
    assert delivery.delivery_id.version == 7
    assert (delivery.job_id, delivery.run, delivery.event) == (job.job_id, 1, "SUCCESS")
    assert (delivery.channel, delivery.provider, delivery.recipient) == ("email", "mailtrap", "reader@example.com")
    assert (delivery.status, delivery.reason) == (DeliveryStatus.PENDING, None)
    assert (delivery.created_at, delivery.next_attempt_at, delivery.finished_at) == (NOW, NOW, None)
    assert delivery.snapshot["job_id"] == str(job.job_id)
    [intent] = outbox.intents
    assert (intent.job_id, intent.event, intent.cause) == (job.job_id, JobEvent.SUCCESS, None)
    assert intent.channels == {"email": "PENDING"}


def test_silence_leaves_a_row_with_its_reason():
    outbox = dispatched(ended_job(context=None), JobEvent.FAILURE)
    [delivery] = outbox.deliveries
    assert (delivery.status, delivery.reason) == (DeliveryStatus.SKIPPED, SkipReason.NO_RECIPIENT)
    assert (delivery.recipient, delivery.next_attempt_at, delivery.finished_at) == (None, None, NOW)
    assert outbox.intents[0].channels == {"email": "SKIPPED:no_recipient"}


@pytest.mark.parametrize("notifications", [None, {}, {"email": None}, [], "email", 5])
def test_a_job_that_declares_nothing_costs_nothing(notifications):
    outbox = dispatched(ended_job(notifications=notifications), JobEvent.SUCCESS)
    assert (outbox.deliveries, outbox.intents) == ([], [])


@pytest.mark.parametrize(
    ("options", "summary", "rows"),
    [
        ({"on": ["CANCELLED"]}, "PENDING", ["PENDING"]),
        ({"on": ["CANCELLED"], "enabled": False}, "SKIPPED:channel_disabled", ["SKIPPED"]),
        ({}, "SKIPPED:event_not_selected", []),
        ({"on": ["SUCCESS"]}, "SKIPPED:event_not_selected", []),
        ({"enabled": False}, "SKIPPED:channel_disabled", []),
        ({"on": "rubbish"}, "SKIPPED:invalid_declaration", []),
    ],
)
def test_a_cancellation_is_on_record_only_where_it_was_asked_for(options, summary, rows):
    outbox = dispatched(ended_job(notifications={"email": options}), JobEvent.CANCELLED)
    assert [delivery.status for delivery in outbox.deliveries] == rows
    assert [intent.channels for intent in outbox.intents] == [{"email": summary}]


@pytest.mark.parametrize("declared", [5, [], "x", {"enabled": "yes"}, {"on": ["LATER"]}, {"gone": 1}])
def test_a_declaration_older_than_the_code_is_skipped_with_its_cause(declared):
    outbox = dispatched(ended_job(notifications={"email": declared}), JobEvent.SUCCESS)
    [delivery] = outbox.deliveries
    assert (delivery.status, delivery.reason) == (DeliveryStatus.SKIPPED, SkipReason.INVALID_DECLARATION)
    assert "no longer fits" in (outbox.intents[0].cause or "")


def test_a_channel_nobody_serves_is_skipped():
    outbox = dispatched(ended_job(notifications={"pigeon": {}, "email": {}}), JobEvent.SUCCESS)
    pigeon, email = outbox.deliveries
    assert (pigeon.provider, pigeon.reason) == (NO_PROVIDER, SkipReason.PROVIDER_NOT_CONFIGURED)
    assert email.status is DeliveryStatus.PENDING
    assert outbox.intents[0].channels == {"pigeon": "SKIPPED:provider_not_configured", "email": "PENDING"}


def test_a_provider_that_raises_costs_its_own_telling_alone():
    job = ended_job(notifications={"crowd": {}, "email": {}})
    outbox = dispatched(job, JobEvent.SUCCESS, Crowd(RuntimeError("reader@example.com")), EMAIL)
    crowd, email = outbox.deliveries
    assert (crowd.status, crowd.reason) == (DeliveryStatus.SKIPPED, SkipReason.EVALUATION_FAILED)
    assert email.status is DeliveryStatus.PENDING
    assert outbox.intents[0].cause == "crowd: the provider raised RuntimeError"


def test_each_recipient_has_one_row_and_nobody_is_no_recipient():
    job = ended_job(notifications={"crowd": {}})
    outbox = dispatched(job, JobEvent.SUCCESS, Crowd(Recipients(("a", "b", "a"))))
    assert [delivery.recipient for delivery in outbox.deliveries] == ["a", "b"]
    assert len({delivery.delivery_id for delivery in outbox.deliveries}) == 2
    [nobody] = dispatched(job, JobEvent.SUCCESS, Crowd(Recipients(()))).deliveries
    assert nobody.reason is SkipReason.NO_RECIPIENT


@pytest.mark.parametrize("unfit", ["a\x00b", "\ud800", "x" * 2_001, "", 7, None])
def test_a_recipient_that_no_row_can_hold_fails_no_transition(unfit):
    job = ended_job(notifications={"crowd": {}})
    [alone] = dispatched(job, JobEvent.SUCCESS, Crowd(Recipients((unfit,)))).deliveries
    assert (alone.recipient, alone.reason) == (None, SkipReason.INVALID_RECIPIENT)
    outbox = dispatched(job, JobEvent.SUCCESS, Crowd(Recipients((unfit, "b"))))
    assert [delivery.recipient for delivery in outbox.deliveries] == ["b"]


@pytest.mark.parametrize("unfit", ["a\x00b", "x" * 501, "", None])
def test_a_destination_that_no_row_can_hold_costs_its_own_telling_alone(unfit):
    class Lost(Crowd):
        def destination(self, _recipient):
            return unfit

    [delivery] = dispatched(
        ended_job(notifications={"crowd": {}}), JobEvent.SUCCESS, Lost(Recipients(("a",)))
    ).deliveries
    assert (delivery.recipient, delivery.reason) == (None, SkipReason.EVALUATION_FAILED)


def test_the_run_is_told():
    [delivery] = dispatched(replace(ended_job(), run=3), JobEvent.SUCCESS).deliveries
    assert (delivery.run, delivery.snapshot["run"]) == (3, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
PLAUSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.none() | st.booleans() | JSON,
        "on": st.none() | st.lists(st.sampled_from([event.value for event in JobEvent]) | JSON, max_size=4),
    },
)
DECLARATIONS = st.none() | st.dictionaries(st.sampled_from(["email", "crowd", "pigeon"]), PLAUSIBLE | JSON) | JSON
CONTEXTS = st.none() | st.fixed_dictionaries({}, optional={"email": JSON | st.emails(), "user_id": JSON}) | JSON


@settings(deadline=None)  # a busy machine proves nothing
@given(notifications=DECLARATIONS, context=CONTEXTS, event=st.sampled_from(JobEvent))
def test_whatever_is_declared_the_rules_hold(notifications, context, event):
    job = ended_job(notifications=notifications, context=context)
    outbox = dispatched(job, event, EMAIL, Crowd(Recipients(("a", "b"))))
    declared = (
        [channel for channel, options in notifications.items() if options is not None]
        if isinstance(notifications, dict)
        else []
    )
    rows = Counter((delivery.channel, delivery.recipient) for delivery in outbox.deliveries)
    assert all(count == 1 for count in rows.values())
    told = {delivery.channel for delivery in outbox.deliveries}
    assert told <= set(declared)
    if event is not JobEvent.CANCELLED:
        assert told == set(declared)
    assert len(outbox.intents) == (1 if declared else 0)
    for intent in outbox.intents:
        assert list(intent.channels) == declared
    for delivery in outbox.deliveries:
        pending = delivery.status is DeliveryStatus.PENDING
        assert pending == (delivery.recipient is not None) == (delivery.reason is None)
        assert pending == (delivery.next_attempt_at is not None) == (delivery.finished_at is None)
        assert outbox.intents[0].channels[delivery.channel].startswith(delivery.status.value)
