"""``/v1/jobs/actions`` over HTTP: what is asked for is clear, or refused."""

import pytest
from sqlalchemy import text

from perdure.core.api_keys import ApiKeys
from perdure.models.api_key import Scope
from perdure.repositories.job_filter import JobFilter
from perdure.schemas.job_filter import JobFilterShape


async def ask(http, body, status=202, **params):
    answer = await http.post("/v1/jobs/actions", json=body, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_an_action_from_its_preview_to_its_end(http, platform):
    for _ in range(3):
        await http.post("/v1/jobs", json={"job_type": "demo.sleep", "queue": "imports"})
    body = {"action": "cancel", "filter": {"queue": "imports", "status": ["QUEUED"]}, "reason": "wrong file"}
    preview = await ask(http, body, 200, dry_run="true")
    assert (preview["action"], preview["matched"], preview["done"], preview["is_complete"]) == ("cancel", 3, 3, True)
    assert len(preview["sample"]) == 3
    assert (await http.get("/v1/jobs/actions")).json()["items"] == [], "a preview leaves nothing"

    answer = await http.post("/v1/jobs/actions", json=body)
    action = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/actions/{action['action_id']}"
    assert (action["status"], action["done"], action["finished_at"]) == ("RUNNING", 0, None)
    assert action["filter"] == body["filter"]
    await platform.job_actions.advance()
    ended = (await http.get(answer.headers["location"])).json()
    assert (ended["status"], ended["done"], ended["reason"]) == ("DONE", 3, "wrong file")
    assert (await http.get("/v1/jobs/actions", params={"limit": 1})).json()["items"] == [ended]
    assert (await http.post(f"{answer.headers['location']}/stop")).status_code == 409


async def test_who_asked_and_who_stopped_is_on_record(http, platform):
    new = await ApiKeys(platform.database).create("ops", [Scope.OPERATE, Scope.READ])
    http.headers["authorization"] = f"Bearer {new.token}"
    action = await ask(http, {"action": "retry", "all": True})
    assert (action["requested_by"], action["stopped_by"]) == ("ops", None)
    stopped = (await http.post(f"/v1/jobs/actions/{action['action_id']}/stop")).json()
    assert (stopped["status"], stopped["stopped_by"]) == ("STOPPED", "ops")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "cancel"}, "body"),
        ({"action": "cancel", "filter": {}}, "body"),
        ({"action": "cancel", "filter": {"status": []}}, "body"),
        ({"action": "cancel", "filter": {"queue": "q"}, "all": True}, "body"),
        ({"action": "cancel", "all": "yes"}, "all"),
        ({"action": "delete", "all": True}, "action"),
        ({"action": "cancel", "filter": {"limit": 3}}, "filter.limit"),
        ({"action": "cancel", "filter": {"status": ["canary"]}}, "filter.status[0]"),
        ({"action": "cancel", "all": True, "reason": "x" * 501}, "reason"),
        ({"action": "cancel", "all": True, "colour": "red"}, "colour"),
    ],
)
async def test_what_is_unclear_is_refused(http, platform, body, field):
    problem = await ask(http, body, 422)
    assert field in [one["field"] for one in problem["errors"]]
    assert "canary" not in problem["detail"]
    async with platform.database.snapshot() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM perdure.job_actions"))).scalar_one() == 0


def test_every_filter_on_the_wire_is_one_of_the_house():
    assert set(JobFilterShape.model_fields) == set(JobFilter.__dataclass_fields__)
