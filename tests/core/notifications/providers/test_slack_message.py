"""What Slack is given to show: valid by its own SDK's models, and nothing of a user's is markup."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from tests.core.notifications.jobs import JOB_ID, a_message, ended_job

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.facts import JobFacts, one_line
from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.providers.slack_message import slack_payload
from perdure.core.notifications.snapshot import snapshot_of
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, JobError

CONTROL = re.compile(r"<[^<>]*>")
OURS = re.compile(r"<!date\^\d+\^[^|<>]*\|[^|<>]*>|<https://jobs\.example\.com/[^|<>]*\|Look at the job>")


def telling(event: JobEvent, *, subject: str = "A job ended", **changes: Any) -> Message:
    snapshot = snapshot_of(ended_job(**changes))
    return a_message(
        recipient="slack", event=event, subject=subject, snapshot=snapshot, facts=JobFacts.of(snapshot), url=None
    )


def failed(message: str, kind: str = "ValueError") -> dict[str, Any]:
    error = JobError(reason=ErrorReason.RETRIES_EXHAUSTED, type=kind, message=message, traceback=None)
    return {"status": JobStatus.FAILED, "error": error}


def shown(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """Every text object, in the order of reading."""
    texts = []
    for block in payload["blocks"]:
        texts += [block["text"]] if "text" in block else []
        texts += block.get("fields", []) + block.get("elements", [])
    return texts


def assert_valid(payload: dict[str, Any]) -> None:
    """As the SDK's models have it, and in the points that they do not check."""
    for block in payload["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        assert parsed.to_dict() == block
    for text in shown(payload):
        assert 1 <= len(text["text"]) <= 3000
    assert all(len(field["text"]) <= 2000 for block in payload["blocks"] for field in block.get("fields", []))
    assert payload["text"]


def test_a_failure_says_what_failed_and_why():
    payload = slack_payload(
        telling(JobEvent.FAILURE, subject="✗ csv.profile failed: ValueError: no rows", **failed("no rows"))
    )
    assert_valid(payload)
    assert payload["text"] == "✗ csv.profile failed: ValueError: no rows"
    assert [text["text"] for text in shown(payload)] == [
        "✗ csv.profile failed: ValueError: no rows",
        "It raised an error, and no attempts are left. The last error:\n```\nValueError: no rows\n```",
        *("Type", "csv.profile", "Queue", "default", "Attempts", "2 of 4", "Took", "3.2 s", "User", "u-17"),
        "<!date^1896091200^Ended {date_short_pretty}, {time_secs}|Ended 31 Jan 2030, 12:00:00 UTC>",
        f"Job {JOB_ID}",
        "Delivery 01900000-0000-7000-8000-0000000000d1",
    ]


@pytest.mark.parametrize(
    ("event", "changes", "words"),
    [
        (JobEvent.SUCCESS, {"result": {"rows": 3}}, 'Its result:\n```\n{\n  "rows": 3\n}\n```'),
        (JobEvent.SUCCESS, {"result": None}, "It returned no result."),
        (JobEvent.FAILURE, {"status": JobStatus.FAILED}, "No error was recorded."),
        (JobEvent.CANCELLED, {"status": JobStatus.CANCELLED}, "It was cancelled before it could finish."),
        (JobEvent.CANCELLED, failed("x"), "It was cancelled after a failed attempt, whose error was:\n```\nValueError"),
    ],
)
def test_each_event_says_what_came_of_the_job(event, changes, words):
    payload = slack_payload(telling(event, **changes))
    assert_valid(payload)
    assert payload["blocks"][1]["text"]["text"].startswith(words)


def test_a_later_run_is_told_and_what_is_unknown_is_left_out():
    payload = slack_payload(
        telling(JobEvent.CANCELLED, run=3, started_at=None, context=None, status=JobStatus.CANCELLED)
    )
    assert_valid(payload)
    fields = [field["text"] for field in payload["blocks"][2]["fields"]]
    assert fields == ["Type", "csv.profile", "Queue", "default", "Attempts", "2 of 4, run 3"]


def test_the_job_s_page_is_a_link_where_it_is_known():
    url = "https://jobs.example.com/jobs/1?a=1&b=x|y>z"
    payload = slack_payload(a_message(recipient="slack", url=url))
    assert_valid(payload)
    linked = "<https://jobs.example.com/jobs/1?a=1&amp;b=x%7Cy&gt;z|Look at the job>"
    assert [text["text"] for text in shown(payload)].count(linked) == 1
    assert not any(block["type"] == "actions" for block in payload["blocks"]), "Slack warns of buttons without an app"


HOSTILE = st.text(max_size=3000) | st.lists(
    st.sampled_from(
        [
            *("<!channel>", "<!here|x>", "<@U123>", "<https://evil.example|Look>", "https://evil.example"),
            *("```", "``", "`", "*bold*", ":smile:", "&lt;", "&", "<", ">"),
            *("\r\n", "\n", "\x00", "\u202e", "\ud800", "🧨", "x" * 500),
        ]
    ),
    max_size=200,
).map("".join)


@settings(deadline=None, max_examples=60)  # a busy machine proves nothing
@given(event=st.sampled_from(JobEvent), user_id=HOSTILE, kind=HOSTILE, message=HOSTILE, succeeded=st.booleans())
def test_whatever_a_user_supplies_stays_text_and_fits(event, user_id, kind, message, succeeded):
    outcome = {"result": message} if succeeded else failed(message, kind)
    subject = one_line(f"✗ csv.profile: {message}", 150)
    payload = slack_payload(telling(event, subject=subject, context={"user_id": user_id}, **outcome))
    assert_valid(payload)
    assert "<" not in payload["text"]
    for text in shown(payload):
        text["text"].encode()
        if text["type"] == "plain_text":
            assert text["emoji"] is False
        else:
            assert text["verbatim"] is True
            assert all(OURS.fullmatch(found) for found in CONTROL.findall(text["text"]))
            assert "<" not in CONTROL.sub("", text["text"])
            assert text["text"].count("```") in (0, 2), "nothing inside ends the code block"
            assert not re.search(r"&(?!amp;|lt;|gt;)", text["text"]), "no escape is cut in two"
