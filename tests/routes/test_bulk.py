"""``POST /v1/jobs/bulk``: an answer a line, in order; what is wrong with one keeps no other one out."""

import asyncio
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from tests.routes.conftest import publish
from tests.routes.test_files import merge
from uuid_utils.compat import uuid7

from perdure.routes import spooled

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1/jobs/bulk",
    "query_string": b"",
    "headers": [(b"content-type", b"application/x-ndjson"), (b"host", b"localhost")],
    "server": ("127.0.0.1", 80),
}
NDJSON = {"content-type": "application/x-ndjson"}
GOOD = {"job_type": "demo.sleep", "payload": {"seconds": 1}}
BAD = {
    b"{": "malformed_json",
    b'{"job_type": "demo.sleep", "job_type": "demo.sleep"}': "malformed_json",
    b'{"job_type": "demo.sleep", "payload": {"seconds": NaN}}': "malformed_json",
    b"\xff": "malformed_json",
    b"[]": "validation_failed",
    b'{"job_type": "demo.sleep", "priority": 1000}': "validation_failed",
    b'{"job_type": "demo.sleep", "payload": {"seconds": "canary"}}': "validation_failed",
    b'{"job_type": "demo.sleep", "notifications": {"pigeon": {}}}': "validation_failed",
    b'{"job_type": "never.heard"}': "unknown_job_type",
    b'{"job_type": "demo.sleep", "payload": "' + b"x" * 500 + b'"}': "body_too_large",
}


async def sent(http, body, headers=NDJSON):
    answer = await http.post("/v1/jobs/bulk", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["index"] for one in answers] == list(range(len(answers)))
    return answers


async def stored(database):
    async with database.snapshot() as connection:
        rows = await connection.execute(text("SELECT job_id, tags FROM perdure.jobs ORDER BY job_id"))
        return {str(row.job_id): row.tags for row in rows}


def job(**changes):
    return ndjson(GOOD | changes)


def ndjson(*jobs):
    return b"".join(json.dumps(job).encode() + b"\n" for job in jobs)


async def in_pieces(body, size):
    for start in range(0, len(body), size):
        yield body[start : start + size]


@given(
    kinds=st.lists(st.none() | st.sampled_from(sorted(BAD)), max_size=30),
    as_array=st.booleans(),
    size=st.integers(1, 9_000),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_each_line_gets_its_answer_and_what_is_good_is_stored_once(http, database, kinds, as_array, size):
    http._transport.app.state.max_body_bytes = 500
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.jobs"))
    if as_array:
        kinds = [None if kind == b"{" else kind for kind in kinds]  # with a bracket more it would not end
    records = [kind or job(tags=[f"n{number}"]) for number, kind in enumerate(kinds)]
    body = b"[" + b", ".join(records) + b"]" if as_array else b"\n".join(records)
    answers = await sent(http, in_pieces(body, size), {"content-type": "application/json"} if as_array else NDJSON)
    assert [one["problem"]["code"] if "problem" in one else None for one in answers] == [BAD.get(one) for one in kinds]
    assert "canary" not in json.dumps(answers)
    assert await stored(database) == {one["job_id"]: [f"n{one['index']}"] for one in answers if "job_id" in one}


ALIKE = [
    {},
    {"queue": "other", "priority": 7, "max_retries": 0, "timeout_seconds": 5},
    {"retry": {"base_seconds": 1}, "concurrency_key": "one", "delay_seconds": 3600},
    {"run_at": "2030-01-31T12:00:00Z", "expires_at": "2130-01-31T12:00:00+02:00"},
    {"context": {"email": "ada@example.com", "more": ["\xfc"]}, "notifications": {"email": {"on": ["SUCCESS"]}}},
    {"tags": ["a", "b"]},
    {"unique_key": None, "context": None},
]


@pytest.mark.parametrize("declared", ALIKE)
async def test_jobs_that_are_alike_are_what_each_would_be_by_itself(http, declared):
    payloads = [{"seconds": 1}, {"seconds": 0.5}, {"seconds": 10}, {}, {"seconds": 1e-7}]
    jobs = [{"job_type": "demo.sleep", "payload": payload} | declared for payload in payloads]
    alone = [(await http.post("/v1/jobs", json=job)).json() for job in jobs]
    answers = await sent(http, ndjson(*jobs))
    together = [(await http.get(f"/v1/jobs/{one['job_id']}")).json() for one in answers]
    varying = {"job_id", "created_at"} | (set() if "run_at" in declared else {"run_at"})
    assert [{name: value for name, value in job.items() if name not in varying} for job in together] == [
        {name: value for name, value in job.items() if name not in varying} for job in alone
    ]
    assert len({one["job_id"] for one in answers}) == len(jobs)


async def test_what_is_wrong_with_jobs_that_are_alike_is_said_of_each(http, database):
    before = len(await stored(database))
    late = {"job_type": "demo.sleep", "expires_at": "2020-01-31T12:00:00Z"}
    both, one = await sent(http, ndjson(late | {"payload": {"seconds": "a"}}, late | {"payload": {"seconds": 1}}))
    assert [error["field"] for error in both["problem"]["errors"]] == ["payload.seconds", "expires_at"]
    assert [error["field"] for error in one["problem"]["errors"]] == ["expires_at"]
    assert len(await stored(database)) == before


async def test_a_file_that_a_payload_names_is_linked_to_its_job_alone(http, platform):
    await publish(platform, merge)
    file_id = (await http.post("/v1/files", content=b"1")).json()["file_id"]
    merging = {"job_type": "test.merge"}
    answers = await sent(
        http,
        ndjson(merging | {"payload": {"first": file_id}}, merging, merging | {"payload": {"first": str(uuid7())}}),
    )
    assert answers[2]["problem"]["errors"][0]["code"] == "no_such_file"
    first, second = [(await http.get(f"/v1/jobs/{one['job_id']}/files")).json()["items"] for one in answers[:2]]
    assert ([one["file_id"] for one in first], second) == ([file_id], [])


async def test_a_unique_key_is_given_once(http):
    live = await sent(http, job(unique_key="a"))
    keys = ["b", "a", "b", None]
    answers = await sent(http, ndjson(*[GOOD | {"unique_key": key} for key in keys]))
    assert ["job_id" in one for one in answers] == [True, False, False, True]
    assert {(one["problem"]["code"], one["problem"]["job_id"]) for one in answers[1:3]} == {
        ("unique_key_taken", live[0]["job_id"]),
        ("unique_key_taken", answers[0]["job_id"]),
    }


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {"content-type": "application/json"}, 422, "malformed_json"),
        (b"", {"content-type": "application/json"}, 422, "malformed_json"),
        (b"{}", NDJSON | {"idempotency-key": "k"}, 422, "validation_failed"),
        (b"{}", NDJSON | {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
    ],
)
async def test_what_can_hold_no_jobs_is_refused_as_a_whole(http, body, headers, status, code):
    answer = await http.post("/v1/jobs/bulk", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await http.post("/v1/jobs/bulk?dry_run=true", content=b"", headers=NDJSON)).status_code == 422


async def test_no_lines_are_no_answers(http):
    assert await sent(http, b"\n  \n") == []
    assert await sent(http, b"[]", {"content-type": "application/json"}) == []


class Duplex:
    """A request that is written and read by hand, on one application."""

    def __init__(self, http):
        self._to_server = asyncio.Queue()
        self._from_server = asyncio.Queue()
        self.serving = asyncio.create_task(http._transport.app(dict(SCOPE), self._to_server.get, self._from_server.put))

    def send(self, piece, *, more_body=True):
        self._to_server.put_nowait({"type": "http.request", "body": piece, "more_body": more_body})

    def hang_up(self):
        self._to_server.put_nowait({"type": "http.disconnect"})

    async def answers(self):
        """The lines of the next message."""
        message = await self._from_server.get()
        if message["type"] == "http.response.start":
            message = await self._from_server.get()
        return [json.loads(line) for line in message["body"].splitlines()]


async def test_a_job_is_answered_while_the_next_is_not_sent_yet(http, database):
    client = Duplex(http)
    for index in range(3):
        client.send(job())
        [answer] = await client.answers()
        assert answer["index"] == index
        assert answer["job_id"] in await stored(database)
    client.send(b"", more_body=False)
    assert await client.answers() == []
    await client.serving


async def test_what_was_answered_when_the_client_hangs_up_is_stored(http, database, lines):
    client = Duplex(http)
    client.send(job() + job()[:20])
    [answer] = await client.answers()
    client.hang_up()
    await client.serving
    assert list(await stored(database)) == [answer["job_id"]]
    assert lines() == []


async def test_any_length_fits_in_little_memory_even_if_nobody_reads_the_answers_yet(http, database, monkeypatch):
    """A client that reads nothing before it has sent everything, as most are, must not keep the server from reading."""
    monkeypatch.setattr(spooled, "MEMORY_BYTES", 1_000)
    line = job(context={"note": "x" * 32_000})
    count = 400
    everything_is_read = asyncio.Event()
    answers = bytearray()
    left = count

    async def receive():
        nonlocal left
        left -= 1
        if left < 0:
            everything_is_read.set()
        return {"type": "http.request", "body": line if left >= 0 else b"", "more_body": left >= 0}

    async def send(message):
        await everything_is_read.wait()
        answers.extend(message.get("body", b""))

    tracemalloc.start()
    await http._transport.app(dict(SCOPE), receive, send)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000 < count * len(line) / 2
    told = [json.loads(one)["job_id"] for one in answers.splitlines()]
    assert told == sorted(await stored(database))
    assert len(told) == count
