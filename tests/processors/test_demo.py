from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from perdure.processors.demo import DemonstrationError, FailRequest, SleepRequest, fail, sleep


async def test_sleep_sleeps_as_long_as_asked(monkeypatch):
    slept = []

    async def record(seconds):
        slept.append(seconds)

    monkeypatch.setattr("perdure.processors.demo.asyncio.sleep", record)
    assert (await sleep.function(SleepRequest(seconds=12.5))).slept_seconds == 12.5
    assert (await sleep.function(SleepRequest())).slept_seconds == 1.0
    assert slept == [12.5, 1.0]


@pytest.mark.parametrize("seconds", [-0.1, 3600.1, float("nan"), float("inf"), "soon", None])
def test_a_sleep_is_at_most_an_hour(seconds):
    with pytest.raises(ValidationError):
        sleep.payload_type.validate_python({"seconds": seconds})


@pytest.mark.parametrize("attempt", [1, 2, 1000])
async def test_fail_always_fails_unless_told_how_often(attempt):
    with pytest.raises(DemonstrationError, match="out of paper"):
        await fail.function(FailRequest(message="out of paper"), SimpleNamespace(attempt=attempt))


async def test_fail_succeeds_after_as_many_failures_as_asked():
    request = FailRequest(times=2)
    for attempt in (1, 2):
        with pytest.raises(DemonstrationError, match="failing as asked"):
            await fail.function(request, SimpleNamespace(attempt=attempt))
    assert (await fail.function(request, SimpleNamespace(attempt=3))).failed_attempts == 2


async def test_fail_zero_times_is_a_success():
    assert (await fail.function(FailRequest(times=0), SimpleNamespace(attempt=1))).failed_attempts == 0


@pytest.mark.parametrize("payload", [{"times": -1}, {"times": 1001}, {"message": "x" * 1001}, {"time": 1}])
def test_what_fail_cannot_do_is_refused(payload):
    with pytest.raises(ValidationError):
        fail.payload_type.validate_python(payload)


def test_what_is_published_of_them():
    assert [(one.job_type, one.is_async, one.takes_context) for one in (sleep, fail)] == [
        ("demo.sleep", True, False),
        ("demo.fail", True, True),
    ]
    assert sleep.description == "Sleeps for the given number of seconds."
    assert fail.result_type.json_schema(mode="serialization")["required"] == ["failed_attempts"]
