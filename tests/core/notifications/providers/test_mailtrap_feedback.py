"""What Mailtrap posts: signed or refused, read in both formats, and never a reason to have it sent again."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.notifications.providers.mailtrap_feedback import MailtrapFeedback
from perdure.errors import Forbidden, MalformedJSON, NotFound
from perdure.models.feedback import FeedbackKind

NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
SECRET = "a1b2c3"
DELIVERY = UUID("01900000-0000-7000-8000-0000000000d1")
READER = MailtrapFeedback(["older", SECRET])


def event(kind: str = "delivery", **changes) -> dict:
    sent = {
        "event": kind,
        "event_id": "bede7236-2284-43d6-a953-1fdcafd0fdbc",
        "message_id": "1df37d17-0286-4d8b-8edf-bc4ec5be86e6",
        "timestamp": int(NOW.timestamp()) - 60,
        "email": "Ada@example.com",
        "sending_stream": "transactional",
        "sending_domain_name": "example.com",
        "category": "job.success",
        "custom_variables": {"delivery_id": str(DELIVERY), "job_id": str(UUID(int=1))},
    }
    return sent | changes


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read(body: bytes):
    return READER.read(body, signature(body), NOW)


def document(*events: dict) -> bytes:
    return json.dumps({"events": events}).encode()


def lines(*events: dict) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in events) + b"\n"


@pytest.mark.parametrize("written", [document, lines])
@pytest.mark.parametrize("number", [1, 500])
def test_both_formats_are_read(written, number):
    found = read(written(*(event(event_id=f"e{index}") for index in range(number))))
    assert [one.event_id for one in found] == [f"e{index}" for index in range(number)]
    assert found[0].delivery_id == DELIVERY
    assert found[0].occurred_at == NOW - timedelta(seconds=60)
    assert (found[0].recipient, found[0].detail) == ("Ada@example.com", None)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("delivery", FeedbackKind.DELIVERED),
        ("open", FeedbackKind.OPENED),
        ("click", FeedbackKind.CLICKED),
        ("unsubscribe", FeedbackKind.UNSUBSCRIBED),
        ("spam", FeedbackKind.COMPLAINED),
        ("spam_complaint", FeedbackKind.COMPLAINED),
        ("soft bounce", FeedbackKind.SOFT_BOUNCED),
        ("soft_bounce", FeedbackKind.SOFT_BOUNCED),
        ("bounce", FeedbackKind.BOUNCED),
        ("suspension", FeedbackKind.SUSPENDED),
        ("reject", FeedbackKind.REJECTED),
    ],
)
def test_every_name_is_known(name, kind):
    assert [one.kind for one in read(document(event(name)))] == [kind]


def test_a_rejection_by_mailtraps_own_list_is_told_from_others():
    rejected = event("reject", reason="Recipient in suppression list")
    assert [one.kind for one in read(document(rejected))] == [FeedbackKind.SUPPRESSED]


def test_the_answer_of_the_recipients_server_is_kept_without_the_address():
    bounced = event(
        "bounce",
        response_code=550,
        bounce_category="badmailbox",
        response="5.1.1 <Ada@example.com>: unknown user\x07 " + "x" * 900,
    )
    [said] = read(document(bounced))
    assert said.detail.startswith("badmailbox 550 5.1.1")
    assert "Ada@example.com" not in said.detail
    assert len(said.detail) <= 500
    [said] = read(document(event("bounce", response_code=550, response="550 5.1.1 unknown user")))
    assert said.detail == "550 5.1.1 unknown user", "its code stands there once"


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_variables": {"order": "7"}},
        {"custom_variables": None},
        {"custom_variables": {"delivery_id": "not ours"}},
        {"event": "telepathy"},
        {"event_id": "x" * 201},
        {"event_id": None},
        {"timestamp": "soon"},
        {"timestamp": 1e300},
        {"timestamp": int((NOW - timedelta(days=8)).timestamp())},
    ],
)
def test_what_is_not_ours_or_not_readable_keeps_the_others_out_of_nothing(changes):
    assert [one.event_id for one in read(document(event() | changes, event(event_id="good")))] == ["good"]


def test_nothing_unsigned_is_read():
    body = document(event())
    for given_signature in (
        None,
        "",
        signature(body, "other"),
        signature(body + b" "),
        "é" * 64,
        signature(body).upper(),
    ):
        with pytest.raises(Forbidden):
            READER.read(body, given_signature, NOW)
    assert len(READER.read(body, signature(body, "older"), NOW)) == 1, "every webhook has a secret of its own"
    with pytest.raises(NotFound, match="MAILTRAP_WEBHOOK_SECRET"):
        MailtrapFeedback([]).read(body, signature(body, ""), NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"events": [}\n{}', b"[" * 99])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(MalformedJSON):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(sorted(event())), JSON))
def test_no_event_can_break_it(changes):
    body = document(event() | changes, event(event_id="good"))
    try:
        found = read(body)
    except MalformedJSON:  # NUL, a number too large, or too deep
        return
    assert [one.event_id for one in found][-1] == "good"
