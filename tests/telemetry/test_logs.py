"""The lines an operator reads: their names and fields are the contract's, and hold no secret."""

import json
import logging
from uuid import UUID

import pytest
import structlog

from perdure.signals import (
    AttemptError,
    AttemptFailed,
    CircuitChanged,
    FeedbackHeard,
    JobTransitioned,
    NotificationFailed,
    NotificationIntended,
    Signals,
)
from perdure.telemetry import log_lines

JOB, DELIVERY, WORKER = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture
def signals() -> Signals:
    signals = Signals()
    log_lines.subscribe(signals)
    return signals


def test_the_intent_is_one_info_line(lines):
    signals = Signals()
    log_lines.subscribe(signals)
    signals.emit(NotificationIntended(JOB, "FAILURE", {"email": "SKIPPED:no_recipient"}))
    [line] = lines()
    del line["timestamp"]
    assert line == {
        "msg": "notification.intent",
        "level": "info",
        "job_id": str(JOB),
        "event": "FAILURE",
        "channels": {"email": "SKIPPED:no_recipient"},
    }


def test_a_failed_try_is_one_warning(signals, lines):
    signals.emit(
        NotificationFailed(DELIVERY, JOB, "mailtrap", "a***@e***.com", 2, "http_500", "it failed", final=False)
    )
    [line] = lines()
    assert (line["msg"], line["level"]) == ("notification.failed", "warning")
    assert {"delivery_id", "job_id", "provider", "error_type", "message", "recipient"} <= set(line)


def test_feedback_is_a_line_unless_it_is_good_news(signals, lines):
    for kind, status in [("delivered", "DELIVERED"), ("opened", "DELIVERED"), ("bounced", "BOUNCED")]:
        signals.emit(FeedbackHeard(DELIVERY, JOB, "mailtrap", kind, status, "550 unknown user"))
    [line] = lines()
    assert (line["msg"], line["level"], line["kind"]) == ("notification.feedback", "info", "bounced")
    assert {"delivery_id", "job_id", "provider", "status", "detail"} <= set(line)


@pytest.mark.parametrize(
    ("state", "msg", "level"),
    [
        ("OPEN", "circuit.opened", "warning"),
        ("PAUSED", "circuit.paused", "error"),
        ("CLOSED", "circuit.closed", "info"),
    ],
)
def test_a_destination_that_is_called_no_more_or_again_is_one_line(signals, lines, state, msg, level):
    signals.emit(CircuitChanged("mailtrap", "mailtrap", state, "CLOSED", 401, "not_permitted", "a wrong key"))
    [line] = lines()
    assert (line["msg"], line["level"], line["provider"]) == (msg, level, "mailtrap")
    assert (line.get("message") == "a wrong key") == (state != "CLOSED")


FAILED = AttemptFailed(
    job_id=JOB,
    job_type="report.build",
    queue="default",
    event="RETRY",
    status="RETRYING",
    run=1,
    attempt=2,
    max_attempts=4,
    worker_id=WORKER,
    wait_seconds=0.0125,
    duration_seconds=1.5,
    error=AttemptError("retries_exhausted", "ValueError", "two\nlines\x1b[2J"),
    retry_seconds=4.2,
)
SUCCEEDED = JobTransitioned(
    job_id=JOB,
    job_type="report.build",
    queue="default",
    event="SUCCESS",
    status="SUCCEEDED",
    run=1,
    attempt=2,
    max_attempts=4,
    worker_id=WORKER,
    wait_seconds=0.0125,
    duration_seconds=1.5,
)


def test_success_is_silent_and_a_failed_attempt_is_one_line(signals, lines):
    signals.emit(SUCCEEDED)
    signals.emit(FAILED)
    [line] = lines()
    del line["timestamp"]
    assert line == {
        "msg": "job.attempt_failed",
        "level": "warning",
        "job_id": str(JOB),
        "job_type": "report.build",
        "queue": "default",
        "run": 1,
        "attempt": 2,
        "max_attempts": 4,
        "status": "RETRYING",
        "worker_id": str(WORKER),
        "wait_ms": 12.5,
        "duration_ms": 1500.0,
        "reason": "retries_exhausted",
        "error_type": "ValueError",
        "message": "two\nlines\x1b[2J",
        "retry_in_seconds": 4.2,
    }


def test_every_step_is_a_line_when_asked_for(logging_to):
    stream, signals = logging_to("json", "debug"), Signals()
    log_lines.subscribe(signals)
    signals.emit(SUCCEEDED)
    line = json.loads(stream.getvalue())
    assert (line["msg"], line["level"], line["event"]) == ("job.transitioned", "debug", "SUCCESS")


def test_nothing_that_is_logged_can_steer_a_terminal(signals, logging_to):
    stream = logging_to("console", "info")
    signals.emit(FAILED)
    logging.getLogger("theirs").warning("\x1b]0;title\x07\u202e%s", "\r\n", extra={"a\x1b": ["\x9b"]})
    logging.getLogger("theirs").error("it failed", exc_info=ValueError("\x1b[2J\tsecond\n\x1b[A"))
    shown = stream.getvalue()
    assert "two\\nlines\\x1b[2J" in shown
    assert [one for one in shown if not (one.isprintable() or one == "\n")] == []
    assert [line.split()[-1] for line in shown.splitlines()[-2:]] == ["second", "\\x1b[A"]
    assert shown.count("\n") == len(["job.attempt_failed", "\\x1b]0;title", "it failed", "ValueError", "\\x1b[A"])


def test_lines_of_users_code_keep_what_they_say(lines, signals):
    logging.getLogger("theirs").info("sent %d", 3, extra={"event": "PAID", "cost": 7})
    structlog.get_logger("theirs").info("sent %d", 3, cost=7)
    logging.getLogger("uvicorn.error").info("Started [%d]", 7, extra={"color_message": "Started [\x1b[36m%d\x1b[0m]"})
    first, second, third = lines()
    assert (first["msg"], first["event"], first["cost"], first["logger"]) == ("sent 3", "PAID", 7, "theirs")
    assert (second["msg"], second["cost"]) == ("sent 3", 7)
    assert (third["msg"], "color_message" in third) == ("Started [7]", False)
