"""The lines an operator reads: their names and fields are the contract's, and hold no secret."""

import io
import json
import logging
import sys
from uuid import UUID

import pytest
import structlog

from perdure.signals import JobTransitioned, NotificationFailed, NotificationIntended, Signals
from perdure.telemetry import logs

JOB, DELIVERY = UUID(int=1), UUID(int=2)


@pytest.fixture
def lines(monkeypatch):
    """Reads back, as JSON, what was logged since."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("json", "info")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture
def signals(lines) -> Signals:
    signals = Signals()
    logs.subscribe(signals)
    return signals


def test_the_intent_is_one_info_line(signals, lines):
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


def test_success_is_silent_and_a_failed_attempt_is_one_line(signals, lines):
    signals.emit(JobTransitioned(JOB, "t", "SUCCESS", "SUCCEEDED", 1, 1))
    signals.emit(JobTransitioned(JOB, "t", "RETRY", "RETRYING", 1, 1, "ValueError: two\nlines"))
    [line] = lines()
    assert (line["msg"], line["error"]) == ("job.attempt_failed", "ValueError: two\nlines")
