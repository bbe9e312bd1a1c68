"""The contract of ``/v1/jobs``: what is sent is kept, what is wrong is named, nothing is a 500."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from perdure.models.job_log import LogLevel, LogLine
from perdure.repositories.job_log_repository import JobLogRepository

EXAMPLE = {
    "job_type": "demo.sleep",
    "payload": {},
    "queue": "default",
    "priority": 0,
    "run_at": None,
    "delay_seconds": None,
    "expires_at": None,
    "max_retries": None,
    "timeout_seconds": None,
    "unique_key": None,
    "concurrency_key": None,
    "retry": None,
    "tags": [],
    "context": {"user_id": "string", "email": "user@example.com"},
    "notifications": {"email": {"enabled": True, "on": ["SUCCESS", "FAILURE"]}},
}


async def submit(http, **changes):
    answer = await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def refused(http, body, status=422):
    answer = await http.post("/v1/jobs", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


async def test_the_contracts_example_is_stored_untouched(http):
    answer = await http.post("/v1/jobs", json=EXAMPLE)
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['job_id']}"
    read = (await http.get(answer.headers["location"])).json()
    assert read == job
    assert read["context"] == EXAMPLE["context"]
    assert read["notifications"] == EXAMPLE["notifications"]
    assert (read["status"], read["attempt"], read["max_attempts"], read["run"]) == ("QUEUED", 0, 4, 1)
    assert "T" in read["created_at"]
    assert read["created_at"].endswith("Z")


@pytest.mark.parametrize(
    "notifications",
    [
        {},
        {"email": {}},
        {"email": None},
        {"email": {"enabled": None, "on": None}},
        {"email": {"on": []}},
        {"email": {"on": ["SUCCESS", "SUCCESS", "CANCELLED"]}},
        {"email": {"enabled": False}},
    ],
)
async def test_notifications_are_kept_as_sent_without_defaults(http, notifications):
    job = await submit(http, notifications=notifications)
    assert (await http.get(f"/v1/jobs/{job['job_id']}")).json()["notifications"] == notifications


async def test_context_keeps_unknown_keys_and_order_of_magnitude(http):
    context = {"email": "A@Example.com", "extra": {"list": [1, 1.5, "1", None, True]}, "ü": "€", "n": 1e21}
    job = await submit(http, context=context)
    assert job["context"] == context


async def test_a_job_that_would_expire_before_it_could_start_is_refused(http):
    late = {"job_type": "demo.sleep", "delay_seconds": 3600}
    soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    for body in (late | {"expires_at": soon}, {"job_type": "demo.sleep", "expires_at": "2020-01-01T00:00:00Z"}):
        [problem] = (await refused(http, body))["errors"]
        assert (problem["field"], problem["code"]) == ("expires_at", "expires_before_start")
    job = await submit(http, expires_at=soon)
    assert datetime.fromisoformat(job["expires_at"]) == datetime.fromisoformat(soon)


async def test_absent_is_answered_as_null(http):
    job = await submit(http)
    assert job["context"] is None
    assert job["notifications"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"context": {"email": "string"}}, "context.email"),
        ({"context": {"user_id": 1}}, "context.user_id"),
        ({"notifications": {"email": {"enabled": "yes"}}}, "notifications.email.enabled"),
        ({"notifications": {"email": {"enabled": 1}}}, "notifications.email.enabled"),
        ({"notifications": {"email": {"on": ["success"]}}}, "notifications.email.on[0]"),
        ({"notifications": {"email": {"on": "SUCCESS"}}}, "notifications.email.on"),
        ({"notifications": {"email": {"to": "x"}}}, "notifications.email.to"),
        ({"notifications": {"pigeon": {}}}, "notifications.pigeon"),
        ({"notifications": {"email": True}}, "notifications.email"),
        ({"payload": {"seconds": "canary"}}, "payload.seconds"),
        ({"payload": {"seconds": -1}}, "payload.seconds"),
        ({"payload": {"unknown": 1}}, "payload"),
        ({"payload": []}, "payload"),
        ({"unknown": 1}, "unknown"),
        ({"priority": 1000}, "priority"),
        ({"unique_key": ""}, "unique_key"),
        ({"unique_key": "canary" * 40}, "unique_key"),
    ],
)
async def test_what_is_wrong_is_named_and_not_echoed(http, body, field):
    problem = await refused(http, {"job_type": "demo.sleep"} | body)
    assert problem["code"] == "validation_failed"
    assert field in [one["field"] for one in problem["errors"]]
    assert "canary" not in json.dumps(problem)


async def test_every_wrong_field_is_named_at_once(http):
    problem = await refused(http, {"job_type": "demo.sleep", "priority": "x", "context": {"email": "x"}})
    assert {one["field"] for one in problem["errors"]} == {"priority", "context.email"}


async def test_a_job_type_nobody_published_is_refused(http):
    assert (await refused(http, {"job_type": "never.heard"}))["code"] == "unknown_job_type"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "malformed_json"),
        (b"{", 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "payload": {"a": NaN}}', 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "job_type": "demo.fail"}', 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "payload": {"a": "\\u0000"}}', 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "payload": {"a": "\\ud800"}}', 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "payload": {"a": 9007199254740992}}', 422, "malformed_json"),
        (b'{"job_type": "demo.sleep", "payload": ' + b"[" * 40 + b"]" * 40 + b"}", 422, "malformed_json"),
        (b"[" * 100_000, 422, "malformed_json"),
        (b"\xff\xfe{\x00}\x00", 422, "malformed_json"),
        (b"5", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'{"job_type": "' + b"x" * 2_000_000 + b'"}', 413, "body_too_large"),
    ],
)
async def test_bodies_that_cannot_be_kept_are_refused(http, body, status, code):
    answer = await http.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_only_json_is_taken_for_json(http, media_type):
    answer = await http.post("/v1/jobs", content=b"{}", headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("identity", 201)])
async def test_a_compressed_body_is_refused_as_what_it_is(http, encoding, status):
    answer = await http.post("/v1/jobs", json={"job_type": "demo.sleep"}, headers={"content-encoding": encoding})
    assert answer.status_code == status, answer.text


async def test_unknown_options_are_refused(http):
    answer = await http.post("/v1/jobs?dry-run=true", json={"job_type": "demo.sleep"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "dry-run"
    assert (await http.get("/v1/jobs")).json()["items"] == []


async def test_a_job_can_be_put_off(http):
    job = await submit(http, delay_seconds=3600)
    assert job["status"] == "SCHEDULED"
    assert job["run_at"] > job["created_at"]


async def test_retry_policy_timeout_and_retries_are_taken(http):
    job = await submit(http, retry={"base_seconds": 1, "max_seconds": 9}, timeout_seconds=7, max_retries=0)
    assert (job["retry"], job["timeout_seconds"], job["max_attempts"]) == (
        {"base_seconds": 1, "max_seconds": 9},
        7,
        1,
    )


async def test_the_list_pages_through_everything_once(http):
    ids = [(await submit(http, queue="a" if number % 2 else "b"))["job_id"] for number in range(7)]
    seen, cursor = [], None
    while True:
        page = (await http.get("/v1/jobs", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [job["job_id"] for job in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert "payload" not in page["items"][0]
    assert "result" not in page["items"][0]


async def test_every_filter_of_the_list_leaves_out_the_others(http):
    first = await submit(http, queue="a")
    second = await submit(http, run_at="2100-01-01T00:00:00Z")
    third = await submit(http, job_type="demo.fail")

    async def listed(**filters):
        page = (await http.get("/v1/jobs", params=filters)).json()
        return [job["job_id"] for job in page["items"]]

    assert await listed(queue="a") == [first["job_id"]]
    assert await listed(status=["SCHEDULED", "RUNNING"]) == [second["job_id"]]
    assert await listed(job_type="demo.fail") == [third["job_id"]]
    assert await listed(created_after=second["created_at"]) == [third["job_id"], second["job_id"]]
    assert await listed(created_before=second["created_at"]) == [first["job_id"]]
    assert await listed(status="FAILED") == []


async def test_a_job_is_found_by_whom_it_is_for_what_it_carries_and_its_id(http):
    context = {"user_id": "ada", "email": "Ada@Example.com"}
    job = await submit(http, context=context, tags=["nightly", "nightly", "big"], queue="a")
    other = await submit(http, context={"user_id": "Ada", "email": "grace@example.com"}, tags=["small"], queue="a")
    await submit(http)

    async def listed(**filters):
        page = (await http.get("/v1/jobs", params={"queue": "a"} | filters)).json()
        return [one["job_id"] for one in page["items"]]

    assert await listed(user_id="ada") == [job["job_id"]]
    assert await listed(email="ADA@example.COM") == [job["job_id"]]
    assert await listed(tag="nightly") == await listed(tag="big", user_id="ada") == [job["job_id"]]
    assert await listed(tag="small", user_id="ada") == []
    assert await listed(q=other["job_id"]) == await listed(q=other["job_id"].upper()) == [other["job_id"]]
    assert await listed(q=other["job_id"][:8]) == [other["job_id"], job["job_id"]]
    assert await listed(q=other["job_id"][:3]) == await listed(q="%_'\\") == await listed(error_group="0" * 16) == []


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "x"},
        {"cursor": "???"},
        {"cursor": "AAAA"},
        {"cursor": "ü"},
        {"status": "LOST"},
        {"queue": "a\x00b"},
        {"job_type": "' OR 1=1 --"},
        {"created_after": "yesterday"},
        {"unknown": "1"},
        {"user_id": "a\x00b"},
        {"email": "x" * 255},
        {"tag": "no tag"},
        {"error_group": "F" * 16},
        {"q": ""},
        {"q": "a\x00b"},
        {"created_before": "0001-01-01T00:00:00+14:00"},
    ],
)
async def test_wrong_queries_are_refused(http, query):
    answer = await http.get("/v1/jobs", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in {"validation_failed", "invalid_cursor"}


async def test_a_waiting_job_is_cancelled_at_once_and_once(http):
    job = await submit(http)
    answer = await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    again = await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    events = (await http.get(f"/v1/jobs/{job['job_id']}/events")).json()["items"]
    assert [event["event"] for event in events] == ["CREATED", "CANCELLED"]


async def test_a_cancelled_job_tells_only_who_asked_for_that(http):
    context = {"email": "ada@example.com"}
    silent = await submit(http, context=context, notifications={"email": {}})
    told = await submit(http, context=context, notifications={"email": {"on": ["CANCELLED"]}})
    for job in (silent, told):
        await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    assert (await http.get(f"/v1/jobs/{silent['job_id']}/deliveries")).json()["items"] == []
    [delivery] = (await http.get(f"/v1/jobs/{told['job_id']}/deliveries")).json()["items"]
    assert (delivery["event"], delivery["status"], delivery["recipient"]) == ("CANCELLED", "PENDING", "a***@e***.com")
    detail = (await http.get(f"/v1/deliveries/{delivery['delivery_id']}")).json()
    assert detail == delivery | {"tries": [], "feedback": []}
    listed = (await http.get("/v1/deliveries", params={"status": "PENDING"})).json()
    assert listed == {"items": [delivery], "next_cursor": None}


async def test_a_finished_job_is_retried_as_a_new_run(http):
    job = await submit(http)
    early = await http.post(f"/v1/jobs/{job['job_id']}/retry")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    answer = await http.post(f"/v1/jobs/{job['job_id']}/retry")
    assert (answer.json()["status"], answer.json()["run"], answer.json()["attempt"]) == ("QUEUED", 2, 0)
    events = (await http.get(f"/v1/jobs/{job['job_id']}/events")).json()["items"]
    assert [(event["event"], event["run"]) for event in events] == [("CREATED", 1), ("CANCELLED", 1), ("RESTARTED", 2)]


async def test_a_log_is_read_page_by_page_and_followed(http, platform):
    job_id = (await submit(http))["job_id"]

    async def say(*numbers):
        now = platform.database.clock.now()
        lines = [LogLine(UUID(job_id), number, 1, 1, now, LogLevel.WARNING, f"line {number}") for number in numbers]
        async with platform.database.transaction() as connection:
            await JobLogRepository(connection).add(lines)

    async def page(**query):
        answer = (await http.get(f"/v1/jobs/{job_id}/log", params=query)).json()
        return [line["message"] for line in answer["items"]], answer["next_cursor"]

    assert await page() == ([], None)
    await say(10_001, 10_002, 20_001)
    assert await page(limit=2) == (["line 10001", "line 10002"], "10002")
    assert await page(limit=2, after=10_002) == (["line 20001"], None)
    await say(20_002)
    assert await page(after=20_001) == (["line 20002"], None)
    for wrong in ({"after": -1}, {"after": 2**53}, {"after": "x"}, {"limit": 1001}, {"cursor": "1"}):
        assert (await http.get(f"/v1/jobs/{job_id}/log", params=wrong)).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/log"),
        ("GET", "/deliveries"),
        ("GET", "/explain"),
        ("GET", "/wait"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ],
)
async def test_what_is_not_there_is_a_404_and_what_is_no_id_a_422(http, method, path):
    missing = await http.request(method, f"/v1/jobs/01980000-0000-7000-8000-000000000000{path}")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await http.request(method, f"/v1/jobs/nonsense{path}")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")


async def test_waiting_answers_with_the_job_as_it_is_when_time_is_up(http):
    job = await submit(http)
    answer = await http.get(f"/v1/jobs/{job['job_id']}/wait", params={"timeout_seconds": 0.01})
    assert (answer.status_code, answer.json()["status"]) == (200, "QUEUED")


async def test_unknown_routes_and_methods_are_problems_too(http):
    missing = await http.get("/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_route")
    wrong = await http.delete("/v1/jobs")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert wrong.headers["content-type"] == "application/problem+json"
