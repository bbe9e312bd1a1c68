"""``/v1/schedules``: what is set is kept as sent, what is wrong is named, and a dry run stores nothing."""

from datetime import UTC, datetime

import pytest

JOB = {"job_type": "demo.sleep", "payload": {"seconds": 1}, "context": {"team": [1]}, "notifications": {"email": {}}}
SCHEDULE = {"expression": "30 2 * * MON-FRI", "time_zone": "Europe/Berlin", "job": JOB}


async def put(http, name="nightly", status=200, query="", **changes):
    answer = await http.put(f"/v1/schedules/{name}{query}", json=SCHEDULE | changes)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_schedule_is_set_read_replaced_and_deleted(http):
    made = await put(http, status=201)
    assert made.headers["location"] == "/v1/schedules/nightly"
    schedule = made.json()
    assert (await http.get("/v1/schedules/nightly")).json() == schedule
    assert schedule["job"] == JOB
    assert (schedule["catch_up"], schedule["overlap"], schedule["paused"]) == ("latest", "allow", False)
    assert schedule["description"] == "At 02:30 on Monday through Friday"
    assert schedule["next_run_at"] == schedule["next_runs"][0]
    assert len(schedule["next_runs"]) == 5
    assert all(datetime.fromisoformat(at) > datetime.now(UTC) for at in schedule["next_runs"])
    assert (schedule["last_runs"], schedule["last_error"]) == ([], None)
    paused = (await put(http, paused=True, catch_up="all", overlap="skip")).json()
    assert (paused["next_run_at"], paused["next_runs"]) == (None, [])
    assert paused["created_at"] == schedule["created_at"]
    [listed] = (await http.get("/v1/schedules")).json()["items"]
    assert listed == {name: value for name, value in paused.items() if name in listed}
    assert (await http.delete("/v1/schedules/nightly")).status_code == 204
    for answer in (await http.get("/v1/schedules/nightly"), await http.delete("/v1/schedules/nightly")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_dry_run_answers_what_would_be_and_stores_nothing(http):
    foreseen = (await put(http, query="?dry_run=true")).json()
    assert len(foreseen["next_runs"]) == 5
    assert (await http.get("/v1/schedules/nightly")).status_code == 404
    await put(http, status=201)
    assert (await put(http, query="?dry_run=true", paused=True)).json()["paused"] is True
    assert (await http.get("/v1/schedules/nightly")).json()["paused"] is False


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"expression": "30 25 * * *"}, "expression", "cron_expression"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "time_zone"),
        ({"job": JOB | {"payload": {"seconds": "x"}}}, "job.payload.seconds", "type"),
        ({"job": JOB | {"notifications": {"pigeon": {}}}}, "job.notifications.pigeon", "unknown_channel"),
        ({"job": JOB | {"run_at": "2030-01-01T00:00:00Z"}}, "job.run_at", "value_error"),
        ({"job": JOB | {"delay_seconds": 1}}, "job.delay_seconds", "value_error"),
        ({"job": JOB | {"expires_at": "2030-01-01T00:00:00Z"}}, "job.expires_at", "value_error"),
        ({"job": {}}, "job.job_type", "missing"),
        ({"job": None}, "job", "model_type"),
        ({"catch_up": "some"}, "catch_up", "enum"),
        ({"paused": "yes"}, "paused", "bool_type"),
        ({"unknown": 1}, "unknown", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_is_named(http, changes, field, code):
    problem = (await put(http, status=422, **changes)).json()
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [(field, code)]
    assert (await http.get("/v1/schedules")).json()["items"] == []


async def test_a_job_type_that_nobody_published_is_refused(http):
    assert (await put(http, status=422, job={"job_type": "no.such"})).json()["code"] == "unknown_job_type"
    await put(http, name="no%20name", status=422)
    await put(http, query="?dry=true", status=422)
