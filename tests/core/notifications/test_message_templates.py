"""The operator's templates: which is used, what is refused when the process starts, and what stands in for one."""

from pathlib import Path

import pytest

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.message_templates import MAX_HTML_BYTES, MessageTemplates
from perdure.core.notifications.rendering import MessageRenderer
from perdure.core.notifications.samples import sample
from perdure.errors import ConfigurationError
from perdure.signals import Signals, TemplateFailed


@pytest.fixture
def write(tmp_path: Path):
    """Fills the folder and opens it."""

    def write(signals: Signals | None = None, **files: str) -> MessageRenderer:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return MessageRenderer(None, MessageTemplates(tmp_path, signals))

    return write


def said(renderer: MessageRenderer, event: JobEvent = JobEvent.FAILURE, job_type: str = "report.build"):
    return renderer.write(event, sample(event, job_type))


def test_an_empty_folder_changes_nothing(write):
    assert said(write()) == said(MessageRenderer(None))


def test_ones_own_goes_before_the_built_in_and_a_types_own_before_both(write):
    renderer = write(
        **{
            "job_failure.subject.txt": "Oh no: {{ job.job_type }}",
            "csv.profile__job_failure.subject.txt": "The profile {{ job.attempts }}",
            "csv.profile__job_failure.txt": "{% extends 'perdure/job_failure.txt' %}"
            "{% block headline %}{{ event }}{% endblock %}",
        }
    )
    every, of_type = said(renderer), said(renderer, job_type="csv.profile")
    assert every.subject == "Oh no: report.build"
    assert every.templates == {
        "subject": "job_failure.subject.txt",
        "text": "perdure/job_failure.txt",
        "html": "perdure/job_failure.html",
    }
    assert of_type.subject == "The profile 4 of 4"
    assert of_type.text.startswith("FAILURE\n")
    assert "line 17 has 5 columns" in of_type.text
    assert of_type.templates["text"] == "csv.profile/job_failure.txt"
    assert said(renderer, JobEvent.SUCCESS).subject == "✓ report.build succeeded"


def test_html_is_escaped_and_its_styles_inlined(write):
    renderer = write(
        **{"job_success.html": "<style>p { color: #123456 }</style><p>{{ job.result }} {{ job.user_id }}</p>"}
    )
    snapshot = sample(JobEvent.SUCCESS) | {"user_id": "<b>&"}
    html = renderer.write(JobEvent.SUCCESS, snapshot).html
    assert "color: #123456" in html.partition("<p")[2].partition(">")[0]
    assert "&lt;b&gt;&amp;" in html


def test_a_layout_of_ones_own_holds_for_the_built_in_templates_that_are_extended(write):
    renderer = write(
        **{
            "layout.html": "<h1>{% block title %}{% endblock %}</h1>{% block outcome %}{% endblock %}",
            "job_failure.html": "{% extends 'perdure/job_failure.html' %}",
        }
    )
    assert "<h1>report.build failed</h1>" in said(renderer).html


@pytest.mark.parametrize(
    ("name", "template", "why"),
    [
        ("job_failure.html", "{% if %}", "line 1 of job_failure.html"),
        ("job_failure.txt", "{{ job.nosuch }}", "there is no job.nosuch"),
        ("job_failure.txt", "{{ unsubscribe_url.lower() }}", "lower"),
        ("job_failure.txt", "{{ subscription.lower() }}", "lower"),
        ("job_failure.txt", "{{ jobs }}", "jobs"),
        ("job_failure.txt", "{{ url.lower() }}", "lower"),
        ("job_failure.txt", "{{ job.user_id.upper() }}", "upper"),
        ("job_failure.txt", "{% include 'nosuch.txt' %}", "nosuch.txt"),
        ("job_failure.txt", "{% include '../../etc/passwd' %}", "etc/passwd"),
        ("job_failure.txt", "{{ ''.__class__.__mro__ }}", "unsafe"),
        ("job_failure.txt", "{{ 'x' * 200000 }}", f"{MAX_HTML_BYTES:,} bytes"),
        ("job_failure.html", "<p>{{ job.error_message | safe }}</p>", "markup"),
        ("job_failure.html", "{{ job.queue * 900 }}", f"{MAX_HTML_BYTES:,} bytes"),
        ("job_failure.subject.txt", " \n", "empty subject"),
        ("job_failure.html", "\udcff", "cannot be used"),
        ("job_falure.html", "", "job_falure.html"),
        ("csv.profile__job_failure.text", "", "csv.profile/job_failure.text"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_process(tmp_path, name, template, why):
    path = tmp_path / name.replace("__", "/")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(template.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match="PERDURE_TEMPLATES_DIR") as refused:
        MessageTemplates(tmp_path)
    assert why in refused.value.detail


@pytest.mark.parametrize("name", ["nosuch", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="names no folder"):
        MessageTemplates(tmp_path / name)


def test_one_that_fails_on_a_real_job_gives_way_to_the_built_in_and_is_named(write):
    signals, told = Signals(), []
    signals.subscribe(TemplateFailed, told.append)
    renderer = write(signals, **{"job_failure.subject.txt": "{{ 1 // (job.user_id | default('', true) != 'bob') }}"})
    assert said(renderer).subject == "1"
    assert told == []
    written = renderer.write(JobEvent.FAILURE, sample(JobEvent.FAILURE) | {"user_id": "bob"})
    assert written.subject.startswith("✗ report.build failed")
    assert told == [TemplateFailed("job_failure.subject.txt", "ZeroDivisionError")]


def test_a_job_type_is_never_a_path(write):
    renderer = write(**{"other__job_failure.subject.txt": "other"})
    for job_type in ("../other", "other/", "/other", "other/job_failure.subject.txt", "perdure"):
        assert said(renderer, job_type=job_type).templates["subject"] == "perdure/job_failure.subject.txt"
