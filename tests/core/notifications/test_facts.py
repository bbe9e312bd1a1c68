import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.notifications.jobs import ended_job

from perdure.core.notifications.facts import JobFacts, duration, lines, one_line
from perdure.core.notifications.snapshot import snapshot_of
from perdure.models.outcome import ErrorReason, JobError


def test_facts_are_worded_for_people():
    facts = JobFacts.of(snapshot_of(ended_job(result=[1])))
    assert facts.attempts == "2 of 4"
    assert facts.created == "31 Jan 2030, 11:55:00 UTC"
    assert facts.finished == "31 Jan 2030, 12:00:00 UTC"
    assert facts.took == "3.2 s"
    assert facts.result == "[\n  1\n]"
    assert facts.error_title is None


@pytest.mark.parametrize("reason", ErrorReason)
def test_every_reason_of_an_error_is_explained(reason):
    facts = JobFacts.of(snapshot_of(ended_job(error=JobError(reason, "ValueError", "no\nsuch column"))))
    assert facts.error_why
    assert (facts.error_title, facts.error_message) == ("ValueError: no such column", "no\nsuch column")


def test_a_job_that_never_ran_has_no_duration():
    facts = JobFacts.of(snapshot_of(ended_job(started_at=None)))
    assert (facts.started, facts.took) == (None, None)


def test_a_snapshot_of_older_code_is_enough():
    least = {"job_id": "1", "job_type": "t", "queue": "q", "run": 1, "attempt": 1, "max_attempts": 1}
    assert JobFacts.of(least).created is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 ms"),
        (0.42, "420 ms"),
        (3.24, "3.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (245, "4 min 5 s"),
        (7380, "2 h 3 min"),
        (3 * 86_400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@given(st.text(), st.integers(1, 60))
def test_one_line_is_one_short_visible_line(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert not any(character in line for character in "\x00\r\n\t\x1b\u2028\u202e")


@given(st.text())
def test_lines_end_in_newlines_alone_and_hold_no_controls(text):
    kept = lines(text)
    assert kept.splitlines() == kept.rstrip("\n").split("\n") if kept.strip("\n") else True
    assert not any(ord(character) < 32 and character not in "\n\t" for character in kept)
    kept.encode()
