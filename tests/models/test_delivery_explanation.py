"""Every state and every reason has its line, and says what happened and what to do."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from perdure.models.circuit import CircuitState
from perdure.models.delivery import DeliveryStatus, FailureReason, SkipReason
from perdure.models.delivery_explanation import FAILED, SKIPPED, DeliveryOnRecord, explained

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


def a_delivery(status: DeliveryStatus, **changes) -> DeliveryOnRecord:
    facts = {
        "delivery_id": UUID(int=1),
        "job_id": UUID(int=2),
        "run": 1,
        "event": "SUCCESS",
        "channel": "email",
        "provider": "mailtrap",
        "recipient": "ada@example.com",
        "status": status,
        "snapshot": {},
        "created_at": NOW,
        "next_attempt_at": NOW,
        "finished_at": NOW,
        "attempts": 3,
    }
    return DeliveryOnRecord(**facts | changes)


@pytest.mark.parametrize(
    ("delivery", "line"),
    [
        (
            a_delivery(DeliveryStatus.RETRYING, last_error="502 Bad Gateway.\nmore"),
            "It waits after 3 tries (the last: 502 Bad Gateway); the next is due at 2030-01-31 12:00:00 UTC.",
        ),
        (
            a_delivery(DeliveryStatus.FAILED, reason="permanent", attempts=1, last_error="422 {from} is refused"),
            f"Given up after 1 try (the last: 422 {{from}} is refused): {FAILED['permanent']}.",
        ),
        (
            a_delivery(DeliveryStatus.SKIPPED, reason="channel_disabled"),
            "Nothing was sent: the job declares the channel with `enabled` false.",
        ),
        (
            a_delivery(DeliveryStatus.SUPPRESSED, reason="bounced"),
            (
                "Nothing was sent: the recipient is on the suppression list (bounced, see `perdure suppressions`); "
                "take it off, then resend it."
            ),
        ),
        (
            a_delivery(DeliveryStatus.SUPPRESSED, reason="provider_list"),
            ("Nothing was sent: the recipient is on the provider's own suppression list; take it off, then resend it."),
        ),
        (
            a_delivery(DeliveryStatus.SENT),
            (
                "mailtrap took it at 2030-01-31 12:00:00 UTC; if it did not arrive, look into Mailtrap's "
                "sandbox inbox where MAILTRAP_USE_SANDBOX is true, else among the spam."
            ),
        ),
        (
            a_delivery(DeliveryStatus.SENT, provider="mailtrap (local inbox)"),
            (
                "mailtrap (local inbox) took it at 2030-01-31 12:00:00 UTC; if it did not arrive, look "
                "into the local inbox (`GET /v1/inbox`), which lets nothing out."
            ),
        ),
        (
            a_delivery(DeliveryStatus.SENT, provider="smtp"),
            ("smtp took it at 2030-01-31 12:00:00 UTC; if it did not arrive, look for it there, and among the spam."),
        ),
        (
            a_delivery(DeliveryStatus.PENDING, attempts=0, circuit=CircuitState.CLOSED, held_until=NOW),
            "It waits for its first try: its destination asks to be left alone until 2030-01-31 12:00:00 UTC.",
        ),
        (
            a_delivery(DeliveryStatus.RETRYING, last_error="502", circuit=CircuitState.OPEN, held_until=NOW),
            (
                "It waits after 3 tries (the last: 502): calls to its destination fail, so nothing is sent there but a "
                "probe, the next at 2030-01-31 12:00:00 UTC; once one is answered, it goes out."
            ),
        ),
        (a_delivery(DeliveryStatus.SKIPPED, reason="of_newer_code"), "Nothing was sent: of_newer_code."),
    ],
)
def test_a_delivery_says_why_it_stands_so(delivery, line):
    assert explained(delivery) == line


def test_every_state_and_reason_has_a_line_of_its_own():
    assert set(SKIPPED) == set(SkipReason)
    assert set(FAILED) == set(FailureReason)
    lines = {explained(a_delivery(status, reason="x")) for status in DeliveryStatus}
    assert len(lines) == len(DeliveryStatus)
    assert all(line.endswith(".") and "\n" not in line and "ada" not in line for line in lines)
