"""``/v1/subscriptions``: what is set is kept as sent and tells somebody, or is refused."""

import pytest

TO_OPS = {"email": {"to": ["ops@example.com"]}}
SUBSCRIPTION = {"job_type": "demo.fail", "notifications": TO_OPS}


async def put(http, name="ops", status=200, **changes):
    answer = await http.put(f"/v1/subscriptions/{name}", json=SUBSCRIPTION | changes)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_subscription_is_set_read_replaced_and_deleted(http):
    made = await put(http, status=201)
    assert made.headers["location"] == "/v1/subscriptions/ops"
    subscription = made.json()
    assert (await http.get("/v1/subscriptions/ops")).json() == subscription
    assert (subscription["job_type"], subscription["queue"], subscription["events"]) == ("demo.fail", None, ["FAILURE"])
    assert (subscription["notifications"], subscription["set_by"]) == (TO_OPS, "local")
    replaced = (await put(http, job_type=None, queue="nightly", events=["SUCCESS", "FAILURE", "SUCCESS"])).json()
    assert (replaced["job_type"], replaced["queue"], replaced["events"]) == (None, "nightly", ["SUCCESS", "FAILURE"])
    assert replaced["created_at"] == subscription["created_at"] < replaced["updated_at"]
    await put(http, name="a", status=201)
    assert [one["name"] for one in (await http.get("/v1/subscriptions")).json()["items"]] == ["a", "ops"]
    assert (await http.delete("/v1/subscriptions/ops")).status_code == 204
    for answer in (await http.get("/v1/subscriptions/ops"), await http.delete("/v1/subscriptions/ops")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"notifications": {"email": {}}}, "notifications.email", "tells_nobody"),
        ({"notifications": {"email": None}}, "notifications.email", "tells_nobody"),
        ({"notifications": {"email": TO_OPS["email"] | {"enabled": False}}}, "notifications.email", "tells_nobody"),
        ({"notifications": {"email": TO_OPS["email"] | {"on": []}}}, "notifications.email.on", "left_out"),
        ({"notifications": {"pigeon": {}}}, "notifications.pigeon", "unknown_channel"),
        ({"notifications": {"email": {"to": ["ops"]}}}, "notifications.email.to[0]", "value_error"),
        ({"notifications": {}}, "notifications", "too_short"),
        ({"notifications": None}, "notifications", "dict_type"),
        ({"events": ["FAILURE", "RETRY"]}, "events[1]", "enum"),
        ({"events": []}, "events", "too_short"),
        ({"job_type": "no name"}, "job_type", "string_pattern_mismatch"),
        ({"unknown": 1}, "unknown", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_is_named(http, changes, field, code):
    problem = (await put(http, status=422, **changes)).json()
    assert [(one["field"], one["code"]) for one in problem["errors"]] == [(field, code)]
    assert (await http.get("/v1/subscriptions")).json()["items"] == []


async def test_a_dry_run_of_a_job_says_whom_the_operator_is_told_by(http):
    await put(http, status=201)
    answer = await http.post("/v1/jobs?dry_run=true", json={"job_type": "demo.fail", "payload": {"message": "x"}})
    [planned] = answer.json()["deliveries"]
    assert (planned["event"], planned["subscription"], planned["recipient"]) == ("FAILURE", "ops", "o***@e***.com")
