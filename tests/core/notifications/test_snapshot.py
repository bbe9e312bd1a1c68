import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.notifications.jobs import ended_job

from perdure.core.notifications.snapshot import MAX_BYTES, MAX_EXCERPT, snapshot_of
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, JobError


def test_what_is_told_of_a_job():
    assert snapshot_of(ended_job(result={"rows": 3})) == {
        "job_id": "01900000-0000-7000-8000-000000000001",
        "job_type": "csv.profile",
        "queue": "default",
        "run": 1,
        "attempt": 2,
        "max_attempts": 4,
        "created_at": "2030-01-31T11:55:00+00:00",
        "started_at": "2030-01-31T11:59:56.800000+00:00",
        "finished_at": "2030-01-31T12:00:00+00:00",
        "user_id": "u-17",
        "error": None,
        "result": '{\n  "rows": 3\n}',
    }


def test_an_error_is_told_without_its_traceback():
    error = JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "no such column", traceback="Traceback: secret")
    told = snapshot_of(ended_job(status=JobStatus.FAILED, error=error))
    assert told["error"] == {"reason": "retries_exhausted", "type": "ValueError", "message": "no such column"}
    assert "Traceback" not in json.dumps(told)


@pytest.mark.parametrize("context", [None, {}, {"user_id": None}, {"user_id": 5}, {"user_id": ["a"]}, [], "x"])
def test_a_user_id_that_is_no_string_is_left_out(context):
    assert snapshot_of(ended_job(context=context))["user_id"] is None


def test_a_long_result_is_cut_and_says_so():
    excerpt = snapshot_of(ended_job(result=list(range(100_000))))["result"]
    assert len(excerpt) == MAX_EXCERPT
    assert excerpt.endswith("…")


@pytest.mark.parametrize("result", ["x" * 2_000_000, list(range(500_000)), {str(n): n for n in range(200_000)}])
def test_the_rest_of_a_large_result_is_not_written_out(result):
    assert len(snapshot_of(ended_job(result=result))["result"]) <= MAX_EXCERPT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
LONG = st.builds(lambda text, times: text * times, st.text(st.characters(), max_size=30), st.integers(1, 400))


@settings(deadline=None)  # a busy machine proves nothing
@given(result=JSON | LONG, name=LONG, message=LONG, failed=st.booleans())
def test_whatever_the_job_holds_the_snapshot_is_bounded_and_storable(result, name, message, failed):
    error = JobError(ErrorReason.TIMED_OUT, name, message) if failed else None
    told = snapshot_of(ended_job(job_type=name, queue=name, context={"user_id": name}, result=result, error=error))
    stored = json.dumps(told, ensure_ascii=False).encode()
    assert len(stored) <= MAX_BYTES
    assert json.loads(stored) == told
    texts = [told["job_type"], told["queue"], told["user_id"], told["result"], *(told["error"] or {}).values()]
    assert all("\x00" not in text for text in texts if text is not None)
    for text in (told["result"], (told["error"] or {}).get("message")):
        assert text is None or len(text) <= MAX_EXCERPT
