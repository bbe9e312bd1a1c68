"""Retrying a finished job with edits: a new job that names the first, checked like any; the first stays as it is."""

import json

import pytest
from tests.routes.test_jobs import submit

FIRST = {
    "payload": {"seconds": 1},
    "queue": "imports",
    "priority": 7,
    "max_retries": 5,
    "timeout_seconds": 60.0,
    "retry": {"base_seconds": 1.0, "max_seconds": 9.0},
    "tags": ["nightly"],
    "context": {"user_id": "ada", "email": "ada@example.com", "order": 7},
    "notifications": {"email": {"on": ["FAILURE"]}},
}
EDITABLE = {"payload": {"seconds": 2}, "queue": "exports", "priority": 0, "max_retries": 0, "timeout_seconds": 5.0}


@pytest.fixture
async def finished(http):
    """A job that was to be run in an hour, and was cancelled."""
    job = await submit(http, **FIRST, delay_seconds=3600)
    return (await http.post(f"/v1/jobs/{job['job_id']}/cancel")).json()


async def retry(http, job, edits, status=201):
    answer = await http.post(f"/v1/jobs/{job['job_id']}/retry", json=edits)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_copy_has_the_edits_and_else_what_the_first_had(http, finished):
    answer = await http.post(f"/v1/jobs/{finished['job_id']}/retry", json={"payload": {"seconds": 2}})
    assert answer.status_code == 201
    copy = (await http.get(answer.headers["location"])).json()
    assert copy == answer.json()
    assert (copy["copy_of"], copy["status"], copy["run"]) == (finished["job_id"], "QUEUED", 1)
    same = ("job_type", "queue", "priority", "max_attempts", "timeout_seconds", "retry", "tags", "context")
    assert {name: copy[name] for name in (*same, "notifications")} == {
        name: finished[name] for name in (*same, "notifications")
    }
    assert copy["payload"] == {"seconds": 2}
    assert (await http.get(f"/v1/jobs/{finished['job_id']}")).json() == finished


@pytest.mark.parametrize("name", EDITABLE)
async def test_each_edit_by_itself_makes_a_copy(http, finished, name):
    copy = await retry(http, finished, {name: EDITABLE[name]})
    assert copy["copy_of"] == finished["job_id"]
    assert EDITABLE[name] == (copy["max_attempts"] - 1 if name == "max_retries" else copy[name])


async def test_no_tags_is_an_edit(http, finished):
    assert (await retry(http, finished, {"tags": []}))["tags"] == []


@pytest.mark.parametrize("body", [None, {}, {"payload": None, "queue": None}])
async def test_without_edits_it_is_the_same_job(http, finished, body):
    answer = await http.post(f"/v1/jobs/{finished['job_id']}/retry", **({} if body is None else {"json": body}))
    assert answer.status_code == 200
    again = answer.json()
    assert (again["job_id"], again["run"], again["copy_of"]) == (finished["job_id"], 2, None)


@pytest.mark.parametrize(
    ("edits", "field"),
    [
        ({"payload": {"seconds": "canary"}}, "payload.seconds"),
        ({"payload": []}, "payload"),
        ({"priority": 101}, "priority"),
        ({"job_type": "demo.fail"}, "job_type"),
        ({"context": {}}, "context"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_made(http, finished, edits, field):
    problem = await retry(http, finished, edits, 422)
    assert field in [one["field"] for one in problem["errors"]]
    assert "canary" not in json.dumps(problem)
    assert len((await http.get("/v1/jobs")).json()["items"]) == 1


async def test_a_job_that_is_not_finished_cannot_be_copied(http):
    job = await submit(http)
    await retry(http, job, {"payload": {"seconds": 2}}, 409)


async def test_a_unique_key_is_copied_too(http):
    first = await submit(http, unique_key="one")
    await http.post(f"/v1/jobs/{first['job_id']}/cancel")
    assert (await retry(http, first, {"tags": ["b"]}))["unique_key"] == "one"
    assert (await retry(http, first, {"tags": ["c"]}, 409))["code"] == "unique_key_taken"
