"""Pausing and resuming over HTTP: who, when and why, and what is refused."""

import pytest

from perdure.core.api_keys import ApiKeys
from perdure.models.api_key import Scope

ACTIVE = {"name": "mails", "paused_at": None, "paused_by": None, "pause_reason": None}


async def test_a_queue_is_paused_and_resumed_as_often_as_one_likes(http):
    paused = await http.post("/v1/queues/mails/pause", json={"reason": "the provider is down"})
    assert paused.status_code == 200
    assert paused.json() == ACTIVE | {
        "paused_at": paused.json()["paused_at"],
        "paused_by": "local",
        "pause_reason": "the provider is down",
    }
    assert (await http.post("/v1/queues/mails/pause")).json() == paused.json()
    for _ in range(2):
        resumed = await http.post("/v1/queues/mails/resume")
        assert (resumed.status_code, resumed.json()) == (200, ACTIVE)


async def test_who_paused_it_is_the_name_of_the_key(http, platform):
    made = await ApiKeys(platform.database).create("night shift", [Scope.OPERATE])
    answer = await http.post("/v1/queues/mails/pause", headers={"authorization": f"Bearer {made.token}"})
    assert answer.json()["paused_by"] == "night shift"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("mails/pause", {"reason": 1}),
        ("mails/pause", {"reason": "x" * 501}),
        ("mails/pause", {"why": "x"}),
        ("mails/pause", []),
        ("ma%20ils/pause", {}),
        ("ma%20ils/resume", None),
    ],
)
async def test_what_is_no_pause_is_refused(http, path, body):
    answer = await http.post(f"/v1/queues/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_pause_with_text_is_no_json(http):
    assert (await http.post("/v1/queues/mails/pause", content=b"now")).status_code == 415


async def test_a_key_of_concurrency_is_kept_and_answered(http):
    sent = {"job_type": "demo.sleep", "payload": {"seconds": 0}, "concurrency_key": "account 7"}
    job = (await http.post("/v1/jobs", json=sent)).json()
    assert (await http.get(f"/v1/jobs/{job['job_id']}")).json()["concurrency_key"] == "account 7"
    for wrong in ("", "x" * 201, 7):
        answer = await http.post("/v1/jobs", json=sent | {"concurrency_key": wrong})
        assert [one["field"] for one in answer.json()["errors"]] == ["concurrency_key"]
