import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from perdure.models.delivery import (
    MAX_RETRY_AFTER_SECONDS,
    Attempt,
    Delivery,
    DeliveryStatus,
    FailureReason,
    SkipReason,
    Verdict,
)
from perdure.models.delivery_policy import DeliveryPolicy, Rate

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = DeliveryPolicy(delays_seconds=(30, 120, 600), max_age_seconds=3_600, deadline_seconds=15)


def claimed(attempts: int = 1, **changes) -> Delivery:
    delivery = Delivery(
        delivery_id=UUID(int=1),
        job_id=UUID(int=2),
        run=1,
        event="SUCCESS",
        channel="email",
        provider="mailtrap",
        recipient="ada@example.com",
        status=DeliveryStatus.SENDING,
        snapshot={},
        created_at=NOW,
        next_attempt_at=NOW,
        attempts=attempts,
    )
    return replace(delivery, **changes)


attempts = st.builds(
    Attempt,
    verdict=st.sampled_from(Verdict),
    retry_after_seconds=st.none() | st.floats(0, 1e9),
    provider_message_id=st.none() | st.just("m1"),
)


@given(attempts, st.integers(1, 8), st.floats(0, 10_000))
def test_every_try_leads_to_a_consistent_state(attempt, number, age):
    after = claimed(number).conclude(attempt, NOW + timedelta(seconds=age), POLICY)
    live = after.status is DeliveryStatus.RETRYING
    assert live == (after.next_attempt_at is not None)
    assert live == (after.finished_at is None)
    assert (after.status is DeliveryStatus.FAILED) == (after.reason is not None)
    if live and attempt.verdict is not Verdict.MISCONFIGURED:
        assert number < POLICY.max_attempts
        assert after.next_attempt_at <= NOW + timedelta(seconds=POLICY.max_age_seconds)


@given(st.sampled_from([Verdict.TRANSIENT, Verdict.AMBIGUOUS]))
def test_tries_are_bounded_by_the_policy(verdict):
    delivery, tries = claimed(), 0
    while True:
        tries += 1
        delivery = replace(delivery, attempts=tries).conclude(Attempt(verdict=verdict), NOW, POLICY)
        if delivery.status is not DeliveryStatus.RETRYING:
            break
    assert tries == POLICY.max_attempts == 4
    assert delivery.reason == FailureReason.EXHAUSTED


def test_a_refusal_of_us_costs_the_delivery_no_try():
    refused = claimed(4).conclude(Attempt(verdict=Verdict.MISCONFIGURED), NOW, POLICY)
    assert (refused.status, refused.attempts, refused.spared_attempts) == (DeliveryStatus.RETRYING, 4, 1)
    again = replace(refused, status=DeliveryStatus.SENDING, attempts=5)
    assert again.overdue(NOW, POLICY) is None
    assert again.conclude(Attempt(verdict=Verdict.TRANSIENT), NOW, POLICY).reason == FailureReason.EXHAUSTED


def test_time_that_is_excused_makes_nothing_older():
    late = NOW + timedelta(hours=2)
    assert claimed().overdue(late, POLICY, excused_seconds=3_600) is None
    assert claimed().overdue(late, POLICY, excused_seconds=3_599) is FailureReason.EXPIRED
    after = claimed().conclude(Attempt(verdict=Verdict.TRANSIENT), late, POLICY, excused_seconds=5_000)
    assert after.status is DeliveryStatus.RETRYING


def test_doubt_is_repeated_no_more_often_than_the_policy_allows():
    policy = replace(POLICY, ambiguous_retries=1)
    first = claimed().conclude(Attempt(verdict=Verdict.AMBIGUOUS), NOW, policy)
    assert first.status is DeliveryStatus.RETRYING
    again = replace(first, status=DeliveryStatus.SENDING, attempts=2)
    assert again.conclude(Attempt(verdict=Verdict.AMBIGUOUS), NOW, policy).reason == FailureReason.EXHAUSTED
    assert again.conclude(Attempt(verdict=Verdict.TRANSIENT), NOW, policy).status is DeliveryStatus.RETRYING


@given(st.integers(1, 500), st.sampled_from([0.5, 1.0, 2.0, 10.0, 60.0]))
def test_a_rate_is_kept_by_its_burst_and_its_pace_together(calls, seconds):
    rate = Rate(calls, seconds)
    paced = math.ceil(round(seconds / rate.interval_seconds, 6)) - 1  # after the burst, before the time is over
    assert rate.burst + paced == calls


def test_retry_after_is_honoured_within_bounds():
    policy = replace(POLICY, max_age_seconds=10**6)

    def waits(seconds):
        after = claimed().conclude(Attempt(verdict=Verdict.TRANSIENT, retry_after_seconds=seconds), NOW, policy)
        return (after.next_attempt_at - NOW).total_seconds()

    assert waits(300) == 300
    assert waits(10**6) == MAX_RETRY_AFTER_SECONDS
    assert 24 <= waits(1) <= 36, "the policy's own delay is the least"


@given(st.uuids(), st.sampled_from([0.1, 0.2]))
def test_waits_are_spread_as_the_policy_says(delivery_id, jitter):
    policy = replace(POLICY, jitter=jitter)
    after = claimed(2, delivery_id=delivery_id).conclude(Attempt(verdict=Verdict.TRANSIENT), NOW, policy)
    waits = (after.next_attempt_at - NOW).total_seconds()
    assert 120 * (1 - jitter) - 1e-3 <= waits <= 120 * (1 + jitter) + 1e-3


def test_one_that_is_called_off_says_so_and_its_senders_are_believed_no_more():
    cancelled = claimed(2, status=DeliveryStatus.RETRYING, fence=3).cancel(NOW)
    assert (cancelled.status, cancelled.reason, cancelled.fence) == (DeliveryStatus.CANCELLED, "called_off", 4)
    assert (cancelled.finished_at, cancelled.next_attempt_at) == (NOW, None)


def test_a_try_that_would_come_too_late_is_not_planned():
    after = claimed().conclude(Attempt(verdict=Verdict.TRANSIENT), NOW + timedelta(seconds=3_590), POLICY)
    assert (after.status, after.reason) == (DeliveryStatus.FAILED, FailureReason.EXPIRED)


def test_overdue_says_why():
    assert claimed(4).overdue(NOW, POLICY) is None
    assert claimed(5).overdue(NOW, POLICY) is FailureReason.EXHAUSTED
    assert claimed().overdue(NOW + timedelta(hours=2), POLICY) is FailureReason.EXPIRED


def test_a_skip_is_no_try():
    after = claimed().skip(SkipReason.PROVIDER_NOT_CONFIGURED, NOW)
    assert (after.status, after.reason, after.attempts) == (DeliveryStatus.SKIPPED, "provider_not_configured", 0)


def test_a_resend_starts_anew_and_names_the_first_of_its_chain():
    told = claimed(3, fence=5, spared_attempts=1, ambiguous_attempts=1, tried_at=NOW).fail(FailureReason.EXHAUSTED, NOW)
    later = NOW + timedelta(days=9)
    again = told.resend(UUID(int=3), later)
    assert again == replace(
        claimed(0),
        delivery_id=UUID(int=3),
        status=DeliveryStatus.PENDING,
        created_at=later,
        next_attempt_at=later,
        resend_of=told.delivery_id,
    )
    assert again.resend(UUID(int=4), later).resend_of == told.delivery_id
    assert (told.is_final, again.is_final) == (True, False)
