"""Whatever a processor returns or raises becomes an outcome of bounded size that can be stored."""

import asyncio
import math

import pytest

from perdure import NotRetryable, RetryAfter, Snooze, processor
from perdure.models.outcome import ErrorReason, Failed, Snoozed
from perdure.models.retry import LONGEST_WAIT_SECONDS
from perdure.workers.calling import call
from perdure.workers.outcomes import MAX_MESSAGE, MAX_TRACEBACK, raised


def caught(function, *arguments):
    """The outcome of what the function raises, with its traceback."""
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001
        return raised("t", error)
    raise AssertionError


def fail(error):
    raise error


def fail_elsewhere(error):
    raise error


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even that")

    __repr__ = __str__


class Nameless(Snooze):
    def __init__(self):
        pass  # no seconds


def altered(error, seconds):
    error.seconds = seconds
    return error


@pytest.mark.parametrize("kind", [Snooze, RetryAfter])
@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan, 1e300, -1, 10**400, LONGEST_WAIT_SECONDS + 1])
def test_a_wait_that_is_none_is_refused_where_it_is_asked_for(kind, seconds):
    with pytest.raises(ValueError, match="seconds must be a number from 0 to"):
        kind(seconds)
    outcome = caught(fail, altered(kind(1), seconds))
    assert (outcome.error.type, outcome.retry_seconds) == ("ValueError", None)


def test_what_ours_ask_for_is_granted():
    assert caught(fail, Snooze(5)) == Snoozed(5.0)
    later = caught(fail, RetryAfter(7, "the upstream asked for it"))
    assert (later.retry_seconds, later.error.message) == (7.0, "the upstream asked for it")
    assert later.error.reason is ErrorReason.RETRIES_EXHAUSTED
    assert caught(fail, NotRetryable("no")).error.reason is ErrorReason.NOT_RETRYABLE


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x" * 10_000_000),
        ValueError("\x00\ud800"),
        Unspeakable(),
        Nameless(),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(1),
        asyncio.CancelledError(),
        BaseExceptionGroup("two", [ValueError("a"), SystemExit()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_is_a_failure_that_can_be_stored(error):
    outcome = caught(fail, error)
    assert isinstance(outcome, Failed)
    assert len(outcome.error.message) <= MAX_MESSAGE
    assert len(outcome.error.traceback) <= MAX_TRACEBACK
    assert "in fail" in outcome.error.traceback, "where it happened is not pushed out by what it says"
    assert "\x00" not in outcome.error.message + outcome.error.traceback
    (outcome.error.message + outcome.error.traceback).encode()


def test_a_failure_is_known_again_by_where_it_happened():
    def deep(levels):
        return fail(ValueError(levels)) if levels == 0 else deep(levels - 1)

    one = caught(fail, ValueError("a")).error.fingerprint
    assert one == caught(fail, ValueError("b")).error.fingerprint
    assert one != caught(fail_elsewhere, ValueError("a")).error.fingerprint
    assert one != caught(fail, KeyError("a")).error.fingerprint
    assert caught(deep, 3).error.fingerprint == caught(deep, 30).error.fingerprint


def test_groups_are_told_apart_by_what_is_in_them():
    prints = {
        caught(fail, ExceptionGroup("several", errors)).error.fingerprint
        for errors in ([ValueError("a")], [KeyError("a")], [ValueError("a"), KeyError("a")])
    }
    assert len(prints) == 3


def test_the_traceback_begins_with_the_processor():
    @processor("t")
    def broken(payload):
        raise ValueError("no")

    outcome = call(broken, ({},))
    assert outcome.error.traceback.splitlines()[1].endswith("in broken")
    assert "calling.py" not in outcome.error.traceback
