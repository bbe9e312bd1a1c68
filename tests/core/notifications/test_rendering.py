import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.notifications.jobs import ended_job

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.message_templates import MAX_HTML_BYTES, MAX_SUBJECT
from perdure.core.notifications.rendering import JOB_PATH, MessageRenderer
from perdure.core.notifications.snapshot import snapshot_of
from perdure.core.notifications.unsubscribing import UnsubscribeLinks
from perdure.errors import ConfigurationError
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.outcome import ErrorReason, JobError

DELIVERY_ID = UUID("01900000-0000-7000-8000-0000000000d1")
PLAIN = MessageRenderer(None)
LINKED = MessageRenderer("https://jobs.example.com/")


def delivery_of(event: JobEvent, *, recipient: str | None = "reader@example.com", **changes: Any) -> Delivery:
    job = ended_job(**changes)
    return Delivery(
        delivery_id=DELIVERY_ID,
        job_id=job.job_id,
        run=job.run,
        event=event.value,
        channel="email",
        provider="mailtrap",
        recipient=recipient,
        status=DeliveryStatus.SENDING,
        snapshot=snapshot_of(job),
        created_at=datetime(2030, 1, 31, tzinfo=UTC),
        next_attempt_at=None,
    )


class Page(HTMLParser):
    """The tags, attributes and visible text of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in_style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


ERROR = JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "line 17 has 5 columns")


def test_success_tells_the_result():
    message = LINKED.render(delivery_of(JobEvent.SUCCESS, result={"rows": 18_231}))
    assert (message.delivery_id, message.event, message.recipient) == (
        DELIVERY_ID,
        JobEvent.SUCCESS,
        "reader@example.com",
    )
    assert message.subject == "✓ csv.profile succeeded"
    assert message.html is not None
    for part in (message.text, Page(message.html).text):
        for told in ("18231", "csv.profile", str(message.job_id), "default", "2 of 4", "3.2 s", "u-17"):
            assert told in part
        for told in ("11:55:00 UTC", "12:00:00 UTC", "Resilient Job Platform"):
            assert told in part
    assert f"https://jobs.example.com{JOB_PATH}{message.job_id}" in message.text


def test_failure_tells_the_error_and_why_no_attempt_follows():
    message = PLAIN.render(delivery_of(JobEvent.FAILURE, error=ERROR))
    assert message.subject == "✗ csv.profile failed: ValueError: line 17 has 5 columns"
    assert message.html is not None
    for part in (message.text, Page(message.html).text):
        assert "line 17 has 5 columns" in part
        assert "no attempts are left" in part


def test_a_cancellation_is_told_as_one():
    message = PLAIN.render(delivery_of(JobEvent.CANCELLED, started_at=None))
    assert message.subject == "■ csv.profile was cancelled"
    assert message.html is not None
    assert "Cancelled" in Page(message.html).text
    assert "CANCELLED" in message.text


def test_a_further_run_is_named_and_the_first_is_not():
    assert "Run " in PLAIN.render(delivery_of(JobEvent.SUCCESS, run=2)).text
    assert "Run " not in PLAIN.render(delivery_of(JobEvent.SUCCESS)).text


def test_without_a_public_url_no_part_holds_a_link():
    message = PLAIN.render(delivery_of(JobEvent.SUCCESS))
    assert "http" not in message.text
    assert message.html is not None
    assert not Page(message.html).all("a")


def test_a_mail_says_why_it_came_and_how_to_get_no_more_of_them():
    links = UnsubscribeLinks("https://jobs.example.com", "a secret of some length")
    renderer = MessageRenderer("https://jobs.example.com", unsubscribe_links=links)
    of_job = delivery_of(JobEvent.SUCCESS)
    asked, unasked = renderer.render(of_job), renderer.render(replace(of_job, subscription="ops"))
    for message, why in [(asked, "the job asked for it"), (unasked, "the subscription ops asks for it")]:
        assert message.unsubscribe_url == links.url(DELIVERY_ID)
        assert f"No more messages about jobs, please: {links.url(DELIVERY_ID)}" in message.text
        page = Page(message.html)
        assert links.url(DELIVERY_ID) in {link["href"] for link in page.all("a")}
        assert f"sent this because {why}. Replies are not read." in message.text
        assert f"sent this because {why}. Replies are not read." in page.text
    assert links.url(DELIVERY_ID) not in renderer.write(JobEvent.SUCCESS, of_job.snapshot).text, (
        "a preview unsubscribes nobody"
    )


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "jobs.example.com", "https://", "https://[", "ftp://x", "", "https://jöbs.example"]
)
def test_a_public_url_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="PERDURE_PUBLIC_URL"):
        MessageRenderer(url)


def test_a_delivery_to_nobody_has_no_message():
    with pytest.raises(ValueError, match="recipient"):
        PLAIN.render(delivery_of(JobEvent.SUCCESS, recipient=None))


@pytest.mark.parametrize("event", JobEvent)
def test_the_html_is_accessible_and_self_contained(event):
    error = ERROR if event is JobEvent.FAILURE else None
    message = LINKED.render(delivery_of(event, error=error))
    assert message.html is not None
    page = Page(message.html)
    assert page.all("html") == [{"lang": "en", "dir": "ltr"}]
    assert len(page.all("h1")) == len(page.all("title")) == 1
    layout, facts = page.all("table")[:-1], page.all("table")[-1]
    assert all(table.get("role") == "presentation" for table in layout)
    assert "role" not in facts
    assert all(head.get("scope") == "row" for head in page.all("th"))
    assert {"name": "color-scheme", "content": "light dark"} in page.all("meta")
    assert "prefers-color-scheme: dark" in message.html
    assert "max-width: 480px" in message.html
    for tag in ("script", "img", "link", "iframe", "form", "object"):
        assert not page.all(tag)
    [link] = page.all("a")
    assert link["href"] == f"https://jobs.example.com{JOB_PATH}{message.job_id}"
    assert "url(" not in message.html
    assert "@import" not in message.html


@pytest.mark.parametrize("event", JobEvent)
def test_the_style_sheet_is_not_needed_in_light_mode(event):
    message = PLAIN.render(delivery_of(event))
    assert message.html is not None
    styled = [attributes for _, attributes in Page(message.html).tags if "class" in attributes]
    assert styled
    assert all(attributes.get("style") for attributes in styled)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("text", "background"),
    [
        *((text, "#fdfdfe") for text in ("#1f2430", "#5b6270", "#17703f", "#b42318", "#515867")),
        ("#5b6270", "#eef0f3"),
        ("#1f2430", "#f3f4f7"),
        ("#1f2430", "#fdf3f2"),
        ("#fdfdfe", "#1f4fbf"),
        *((text, "#1d2229") for text in ("#e6e8ec", "#a7afbc", "#62d69d", "#ff9389", "#bac1cc")),
        ("#a7afbc", "#14171c"),
        ("#e6e8ec", "#14181d"),
        ("#e6e8ec", "#2a1a1a"),
        ("#10131a", "#7ea6ff"),
    ],
)
def test_every_pair_of_colours_can_be_read(text, background):
    html = PLAIN.render(delivery_of(JobEvent.FAILURE, error=ERROR)).html or ""
    lighter, darker = sorted((_luminance(text), _luminance(background)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
    assert text in html or text in ("#17703f", "#515867", "#fdfdfe")


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 191 }}{% for x in range(3) %}boom{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "</title></style><style>body{display:none}</style>",
    '<link rel="stylesheet" href="file:///etc/passwd">',
    "a\r\nBcc: other@example.com\r\n\r\nbody",
    "nul\x00 esc\x1b[31m sep\u2028par\u2029nel\x85 rtl\u202etxt",
    "lone \ud800 surrogate",
    "&lt;b&gt; &amp; <!-- comment -->",
]


def everywhere(value: str) -> dict[str, Any]:
    return {
        "job_type": value,
        "queue": value,
        "context": {"user_id": value},
        "error": JobError(ErrorReason.NOT_RETRYABLE, value, value),
        "result": {value: [value]},
    }


def tags_of(event: JobEvent) -> list[str]:
    """Those of a mail about a job that holds nothing strange."""
    fields = everywhere("harmless") | ({"error": None} if event is JobEvent.SUCCESS else {})
    return [tag for tag, _ in Page(PLAIN.render(delivery_of(event, **fields)).html or "").tags]


TAGS = {event: tags_of(event) for event in JobEvent}


def check_harmless(message: Any, reference: Any) -> None:
    assert message.html is not None
    assert [tag for tag, _ in Page(message.html).tags] == [tag for tag, _ in Page(reference.html).tags]
    assert len(message.subject.splitlines()) == 1
    assert len(message.subject) <= MAX_SUBJECT
    for part in (message.subject, message.text, message.html):
        part.encode()
        assert not re.search("[\x00\r\x1b\u2028\u2029\u202e\x85]", part)
    assert "1337" not in message.subject + message.text + message.html


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("event", JobEvent)
def test_what_users_supply_is_only_ever_a_value(event, value):
    fields = everywhere(value)
    plain = everywhere("harmless")
    if event is JobEvent.SUCCESS:
        fields["error"] = plain["error"] = None
    message = LINKED.render(delivery_of(event, **fields))
    check_harmless(message, LINKED.render(delivery_of(event, **plain)))


TEXT = st.text(st.characters() | st.sampled_from("<>&\"'\r\n{}%\x00\ud800\u202e😀"), min_size=1)


@settings(deadline=None)  # a busy machine proves nothing
@given(TEXT, st.integers(1, 20_000), st.sampled_from(JobEvent))
def test_no_text_at_all_and_none_however_long_breaks_a_mail(value, times, event):
    fields = everywhere("x" + (value * times)[:20_000])  # something is left of it, whatever is taken out
    if event is JobEvent.SUCCESS:
        fields["error"] = None
    message = PLAIN.render(delivery_of(event, **fields))
    assert message.html is not None
    assert message.subject
    EmailMessage(policy=SMTP)["Subject"] = message.subject  # which refuses a second line
    assert len(message.html.encode()) < MAX_HTML_BYTES
    assert [tag for tag, _ in Page(message.html).tags] == TAGS[event]


def test_html_in_a_value_is_shown_as_it_was_written():
    message = PLAIN.render(delivery_of(JobEvent.FAILURE, error=JobError(ErrorReason.TIMED_OUT, "E", "<b>&amp;</b>")))
    assert message.html is not None
    assert "<b>&amp;</b>" in Page(message.html).text
    assert "<b>&amp;</b>" in message.text
