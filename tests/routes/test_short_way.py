"""Whichever way a submission takes, past the framework or through it, it is judged and answered alike."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from tests.routes.conftest import publish
from tests.routes.test_jobs import EXAMPLE

from perdure.app import create_app
from perdure.core.api_keys import ApiKeys
from perdure.core.waiting import FinishedJobs
from perdure.models.api_key import Scope
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, JobError
from perdure.models.retry import RetryPolicy
from perdure.processors import demo
from perdure.routes import short_way
from perdure.schemas.job import JobAnswer
from perdure.schemas.job_writing import written

JSON = {"content-type": "application/json"}
SUBMISSIONS = {
    "the contract's example": (b'{"job_type": "demo.sleep"}', JSON),
    "all that it knows": (
        json.dumps(
            EXAMPLE
            | {"payload": {"seconds": 1.5}, "queue": "q", "priority": -3, "tags": ["b", "a", "b"], "max_retries": 0}
            | {"timeout_seconds": 7, "retry": {"base_seconds": 1, "max_seconds": 2}, "concurrency_key": "c"}
            | {"run_at": "2031-01-31T12:00:00+02:00", "expires_at": "2032-01-31T12:00:00Z"}
            | {"context": {"user_id": "\u00fc", "more": [1.0, None]}, "notifications": {"email": {}}}
        ).encode(),
        JSON,
    ),
    "by another media type": (b'{"job_type": "demo.sleep"}', {"content-type": "application/json; charset=utf-8"}),
    "as no JSON": (b'{"job_type": "demo.sleep"}', {"content-type": "text/plain"}),
    "without a media type": (b'{"job_type": "demo.sleep"}', {}),
    "compressed": (b"x", JSON | {"content-encoding": "gzip"}),
    "no JSON": (b"{", JSON),
    "nothing": (b"", JSON),
    "NaN": (b'{"job_type": "demo.sleep", "payload": {"seconds": NaN}}', JSON),
    "a key twice": (b'{"job_type": "demo.sleep", "job_type": "demo.sleep"}', JSON),
    "no object": (b"[]", JSON),
    "an unknown field": (b'{"job_type": "demo.sleep", "pay": 1}', JSON),
    "many mistakes": (b'{"priority": 101, "queue": "", "run_at": 5, "context": {"email": "x"}}', JSON),
    "an unknown type": (b'{"job_type": "who.knows"}', JSON),
    "what the schema refuses": (b'{"job_type": "demo.sleep", "payload": {"seconds": "long"}}', JSON),
    "an unknown channel": (b'{"job_type": "demo.sleep", "notifications": {"pigeon": {}}}', JSON),
    "too late": (b'{"job_type": "demo.sleep", "expires_at": "2001-01-31T12:00:00Z"}', JSON),
    "too much": (b'{"job_type": "demo.sleep", "tags": ["%s"]}' % (b"x" * 2_000_000), JSON),
    "a file that is none": (b'{"job_type": "demo.sleep", "payload": {"seconds": 0, "f": "x"}}', JSON),
    "under a key": (b'{"job_type": "demo.sleep"}', JSON | {"idempotency-key": "k"}),
    "under no key that is one": (b'{"job_type": "demo.sleep"}', JSON | {"idempotency-key": "k k"}),
    "from another site": (b'{"job_type": "demo.sleep"}', JSON | {"sec-fetch-site": "cross-site"}),
    "under another name": (b'{"job_type": "demo.sleep"}', JSON | {"host": "example.com"}),
    "with a key that nobody asks for": (b'{"job_type": "demo.sleep"}', JSON | {"authorization": "Bearer no"}),
}
NEW_EACH_TIME = ("job_id", "created_at", "run_at")


def told(answer):
    """An answer, but for what is another one each time."""
    body = answer.json()
    headers = {name: value for name, value in answer.headers.items() if name != "location"}
    for name in NEW_EACH_TIME if answer.is_success else ():
        body.pop(name)
    return answer.status_code, headers, body


@pytest.fixture
def ways(monkeypatch):
    """How many submissions took the short way."""
    taken = []
    submit = short_way.WithShortWay._submit

    async def noted(*asked):
        taken.append(asked)
        await submit(*asked)

    monkeypatch.setattr(short_way.WithShortWay, "_submit", noted)
    return taken


@pytest.mark.parametrize("what", SUBMISSIONS)
async def test_both_ways_answer_alike(http, ways, what):
    body, headers = SUBMISSIONS[what]
    short = await http.post("/v1/jobs", content=body, headers=headers)
    taken = len(ways)
    if "idempotency-key" in headers:
        headers = headers | {"idempotency-key": headers["idempotency-key"].replace("k", "other")}
    long = await http.post("/v1/jobs?dry_run=false", content=body, headers=headers)
    assert told(short) == told(long)
    assert len(ways) == taken
    assert ("location" in short.headers) == ("location" in long.headers) == short.is_success


async def test_the_example_takes_the_short_way_and_is_what_can_be_read_afterwards(http, ways):
    answer = await http.post("/v1/jobs", json=EXAMPLE)
    assert len(ways) == 1
    assert (await http.get(answer.headers["location"])).json() == answer.json()


async def test_a_key_is_replayed_whichever_way_it_came(http, ways):
    first = await http.post("/v1/jobs", json=EXAMPLE, headers={"idempotency-key": "k"})
    for path in ("/v1/jobs", "/v1/jobs?dry_run=false"):
        again = await http.post(path, json=EXAMPLE, headers={"idempotency-key": "k"})
        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["idempotent-replayed"] == "true"
        other = await http.post(path, json=EXAMPLE | {"priority": 7}, headers={"idempotency-key": "k"})
        assert (other.status_code, other.json()["fields"]) == (422, ["priority"])
    assert len(ways) == 3


async def test_keys_of_the_api_are_asked_for(http, platform, ways):
    keys = ApiKeys(platform.database)
    reader = (await keys.create("reader", [Scope.READ])).token
    submitter = (await keys.create("submitter", [Scope.SUBMIT])).token
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as asking:
        answers = [
            await asking.post("/v1/jobs", json=EXAMPLE, headers=headers)
            for headers in (
                {},
                {"authorization": "Bearer pdr_no"},
                {"authorization": f"Bearer {reader}"},
                {"authorization": f"Bearer {submitter}"},
            )
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 403, 201]
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert len(ways) == 4


async def test_a_mistake_of_ours_is_a_problem_and_is_logged(http, platform, monkeypatch, caplog):
    async def broken(_sent):
        raise KeyError("canary")

    monkeypatch.setattr(platform.commands, "submit", broken)
    answer = await http.post("/v1/jobs", json=EXAMPLE)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "canary" not in answer.text


async def test_who_hangs_up_before_all_is_sent_is_left_alone(platform):
    await publish(platform, demo.sleep)
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False)
    pieces = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive():
        return pieces.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "query_string": b"", "headers": headers}
    await asyncio.wait_for(app(scope, receive, send), 10)
    assert sent == []


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 (UTC is given next)
    lambda moment: moment.replace(tzinfo=UTC)
)
whole_seconds = moments.map(lambda moment: moment.replace(microsecond=0))
some_moment = moments | whole_seconds
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
failures = st.builds(JobError, st.sampled_from(ErrorReason), st.text(), st.text(), st.none() | st.text())
jobs = st.builds(
    Job,
    job_id=st.uuids(),
    job_type=st.text(min_size=1),
    payload=documents,
    queue=st.text(min_size=1),
    priority=st.integers(-100, 100),
    status=st.sampled_from(JobStatus),
    run_at=some_moment,
    max_attempts=st.integers(1, 1_000),
    timeout_seconds=st.floats(0.1, 1e6),
    retry=st.builds(RetryPolicy, st.floats(0.1, 9), st.floats(10, 99)),
    created_at=some_moment,
    context=st.none() | st.dictionaries(st.text(), documents, max_size=3),
    tags=st.lists(st.text()).map(tuple),
    expires_at=st.none() | some_moment,
    started_at=st.none() | some_moment,
    finished_at=st.none() | some_moment,
    copy_of=st.none() | st.uuids(),
    result=documents,
    error=st.none() | failures,
)


@given(jobs)
def test_a_job_is_written_as_the_schema_says(job):
    read = TypeAdapter(dict).validate_json(written(job))
    assert read == TypeAdapter(dict).validate_json(JobAnswer.model_validate(job).model_dump_json())


def test_a_moment_without_a_fraction_is_written_with_one():
    now = datetime(2030, 1, 1, tzinfo=UTC)
    job = Job.submit(
        job_id=UUID(int=1),
        run_at=now + timedelta(microseconds=5),
        now=now,
        **dict.fromkeys(("job_type", "payload", "queue", "priority", "max_attempts", "timeout_seconds", "retry")),
    )
    assert b'"created_at":"2030-01-01T00:00:00.000000Z"' in written(job)
    assert b'"created_at":"2030-01-01T00:00:00.000001Z"' in written(
        replace(job, created_at=now + timedelta(microseconds=1))
    )
