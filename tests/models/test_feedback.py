"""Whatever is said, in whatever order and however often, a delivery only rises."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.test_delivery import NOW, claimed

from perdure.models.delivery import LIVE, DeliveryStatus, FailureReason
from perdure.models.feedback import Feedback, FeedbackKind, hear

ENDS = [FeedbackKind.BOUNCED, FeedbackKind.SUPPRESSED, FeedbackKind.REJECTED]
OTHERS = [kind for kind in FeedbackKind if kind not in ENDS]
LATER = NOW + timedelta(minutes=5)


def said(kind: FeedbackKind, event_id: str = "e1") -> Feedback:
    return Feedback(
        delivery_id=claimed().delivery_id,
        event_id=event_id,
        provider="mailtrap",
        kind=kind,
        occurred_at=datetime(2030, 1, 1, tzinfo=UTC),
        provider_message_id="m1",
    )


def standing(status: DeliveryStatus, reason: str | None = None):
    if status in LIVE:
        return claimed(status=status)
    return claimed(status=status, reason=reason, next_attempt_at=None, finished_at=NOW)


def told(delivery, kinds):
    for kind in kinds:
        delivery = hear(delivery, said(kind), LATER)
    return delivery


@given(st.lists(st.sampled_from(OTHERS)), st.sampled_from([None, *ENDS]), st.randoms())
def test_the_order_does_not_matter(kinds, end, random):
    kinds = kinds if end is None else [*kinds, end]
    start = standing(DeliveryStatus.SENT)
    shuffled = random.sample(kinds, len(kinds))
    assert told(start, shuffled) == told(start, kinds) == told(told(start, kinds), shuffled)


@given(st.sampled_from(DeliveryStatus), st.lists(st.sampled_from(FeedbackKind), min_size=1))
def test_what_was_heard_is_final_and_consistent(status, kinds):
    after = told(standing(status), kinds)
    assert after.is_final
    assert after.next_attempt_at is None
    assert (after.reason is not None) == (after.status in {DeliveryStatus.FAILED, DeliveryStatus.SUPPRESSED}) or (
        after == standing(status)
    )


@pytest.mark.parametrize(
    ("status", "kind", "becomes", "reason"),
    [
        (DeliveryStatus.SENT, FeedbackKind.SOFT_BOUNCED, DeliveryStatus.SENT, None),
        (DeliveryStatus.SENT, FeedbackKind.SUSPENDED, DeliveryStatus.SENT, None),
        (DeliveryStatus.SENT, FeedbackKind.DELIVERED, DeliveryStatus.DELIVERED, None),
        (DeliveryStatus.SENT, FeedbackKind.COMPLAINED, DeliveryStatus.DELIVERED, None),
        (DeliveryStatus.DELIVERED, FeedbackKind.BOUNCED, DeliveryStatus.BOUNCED, None),
        (DeliveryStatus.BOUNCED, FeedbackKind.DELIVERED, DeliveryStatus.BOUNCED, None),
        (DeliveryStatus.SENT, FeedbackKind.REJECTED, DeliveryStatus.FAILED, FailureReason.REJECTED),
        (DeliveryStatus.SENT, FeedbackKind.SUPPRESSED, DeliveryStatus.SUPPRESSED, "provider_list"),
    ],
)
def test_each_kind_has_its_meaning(status, kind, becomes, reason):
    after = hear(standing(status), said(kind), LATER)
    assert (after.status, after.reason, after.finished_at) == (becomes, reason, NOW)


@pytest.mark.parametrize("status", [DeliveryStatus.SENDING, DeliveryStatus.RETRYING])
def test_what_is_heard_ends_a_delivery_that_was_thought_unsent(status):
    """Its answer was lost, or the provider was quicker than our commit: it is not sent once more."""
    before = standing(status)
    after = hear(before, said(FeedbackKind.DELIVERED), LATER)
    assert (after.status, after.finished_at, after.provider_message_id) == (DeliveryStatus.DELIVERED, LATER, "m1")
    assert after.fence == before.fence + 1


def test_one_that_was_given_up_and_arrived_all_the_same_is_delivered():
    given_up = standing(DeliveryStatus.FAILED, FailureReason.EXHAUSTED)
    after = hear(given_up, said(FeedbackKind.OPENED), LATER)
    assert (after.status, after.reason, after.fence) == (DeliveryStatus.DELIVERED, None, given_up.fence)
