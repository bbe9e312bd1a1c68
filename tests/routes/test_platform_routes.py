"""Job types, health, the local inbox, the API's own description."""

import asyncio
from datetime import datetime
from uuid import uuid4

from sqlalchemy import text
from tests import claiming

from perdure.models.lease import WorkerIdentity
from perdure.provided import LOCAL_INBOX_KEY
from perdure.repositories.worker_repository import WorkerRepository

JOB_TYPES = ["demo.fail", "demo.sleep"]


async def test_job_types_are_listed_with_their_schemas(http):
    types = (await http.get("/v1/job-types")).json()["items"]
    assert [one["job_type"] for one in types] == JOB_TYPES
    assert types[1]["payload_schema"]["properties"]["seconds"]["type"] == "number"
    assert types[1]["max_retries"] == 3


async def test_workers_are_listed_with_what_they_hold(http, platform):
    living = WorkerIdentity(uuid4(), "host", 7, "0.1.0", ("a",), ("demo.sleep",), 3)
    gone = WorkerIdentity(uuid4(), "host", 8, "0.1.0", (), (), 1)
    async with platform.database.transaction() as connection:
        workers = WorkerRepository(connection)
        await workers.register(living, 60)
        await workers.register(gone, -1)
    await http.post("/v1/jobs", json={"job_type": "demo.sleep"})
    async with platform.database.transaction() as connection:
        [job] = await claiming.claim(connection, "default", ["demo.sleep"], 1, living.worker_id)
        await WorkerRepository(connection).drain(living.worker_id)
    found = {one["process_id"]: one for one in (await http.get("/v1/workers")).json()["items"]}
    assert (found[7]["alive"], found[7]["running"], found[7]["queues"]) == (True, 1, ["a"])
    assert found[7]["draining_since"] is not None
    [running] = found[7]["jobs"]
    assert (running["job_id"], running["job_type"], running["attempt"]) == (str(job.job_id), "demo.sleep", 1)
    assert datetime.fromisoformat(running["started_at"]) == job.started_at
    assert (found[8]["alive"], found[8]["running"], found[8]["jobs"]) == (False, 0, [])
    assert found[8]["draining_since"] is None


async def test_queues_are_listed_with_what_waits_runs_serves_and_stops_them(http, platform):
    async with platform.database.transaction() as connection:
        workers = WorkerRepository(connection)
        for queues, lease_seconds in ((("gone",), -1), ((), 60), (("mail", "named"), 60)):
            identity = WorkerIdentity(uuid4(), "host", 7, "0.1.0", queues, ("demo.sleep",), 3)
            await workers.register(identity, lease_seconds)
    for queue, delay in (("mail", 0), ("mail", 0), ("mail", 3600), ("later", 3600)):
        await http.post("/v1/jobs", json={"job_type": "demo.sleep", "queue": queue, "delay_seconds": delay})
    async with platform.database.transaction() as connection:
        await claiming.claim(connection, "mail", ["demo.sleep"], 1, identity.worker_id)
    await http.post("/v1/queues/stopped/pause", json={"reason": "no paper"})
    answer = (await http.get("/v1/queues")).json()
    found = {one["name"]: one for one in answer["items"]}
    assert list(found) == ["later", "mail", "named", "stopped"]
    assert [found["mail"][name] for name in ("queued", "scheduled", "running", "workers")] == [1, 1, 1, 2]
    assert [found["named"][name] for name in ("queued", "oldest_waiting_seconds", "workers")] == [0, None, 2]
    assert found["mail"]["oldest_waiting_seconds"] >= 0
    assert found["mail"]["paused_at"] is None
    assert (found["stopped"]["paused_by"], found["stopped"]["pause_reason"]) == ("local", "no paper")
    await http.post("/v1/queues/stopped/resume")
    assert "stopped" not in [one["name"] for one in (await http.get("/v1/queues")).json()["items"]], "at once"


async def test_the_local_inbox_answers_as_the_sandbox_does(http):
    mail = {"to": [{"email": "ada@example.com"}], "from": {"email": "a@b.co"}, "subject": "s", "text": "t"}
    for key, status in [("wrong", 401), (LOCAL_INBOX_KEY, 200)]:
        answer = await http.post("/api/send/local", json=mail, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["success"]) == (status, status == 200)
    [caught] = (await http.get("/v1/inbox")).json()["items"]
    assert caught["mail"] == mail
    assert caught["message_id"] == answer.json()["message_ids"][0]


async def test_many_can_wait_and_all_are_told(http, platform):
    jobs = [(await http.post("/v1/jobs", json={"job_type": "demo.sleep"})).json()["job_id"] for _ in range(3)]
    finished = http._transport.app.state.finished_jobs
    waiter = asyncio.create_task(finished.run())
    try:
        waits = [asyncio.create_task(http.get(f"/v1/jobs/{job}/wait")) for job in jobs for _ in range(5)]
        for job in jobs:
            await http.post(f"/v1/jobs/{job}/cancel")
        answers = await asyncio.wait_for(asyncio.gather(*waits), 10)
        assert {answer.json()["status"] for answer in answers} == {"CANCELLED"}
    finally:
        waiter.cancel()


async def test_the_description_is_openapi_3_1_and_whole(http):
    document = (await http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "context" in body["properties"]
    assert "email" in body["properties"]["notifications"]["anyOf"][0]["properties"]
    dangling = [ref for ref in _references(document) if ref not in document["components"]["schemas"]]
    assert dangling == []


def _references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.removeprefix("#/components/schemas/")
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


async def test_the_reference_page_is_served_without_foreign_parts(http):
    page = await http.get("/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "/v1/jobs" in page.text


async def test_a_database_that_is_away_is_a_503(http, platform):
    await platform.database.engine.dispose()
    platform.database.url = platform.database.url.parse("postgresql://nobody@127.0.0.1:1/none")
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers


async def test_what_we_did_not_expect_is_a_500_that_tells_nothing(http, platform):
    async with platform.database.transaction() as connection:
        await connection.execute(text("ALTER TABLE perdure.job_types RENAME TO elsewhere"))
    try:
        answer = await http.get("/v1/job-types")
    finally:
        async with platform.database.transaction() as connection:
            await connection.execute(text("ALTER TABLE perdure.elsewhere RENAME TO job_types"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "job_types" not in answer.text


async def test_history_is_asked_for_by_stretch_and_step(http):
    hour = {"from": "2030-01-31T12:00:30Z", "to": "2030-01-31T13:00:00Z"}
    found = (await http.get("/v1/stats/history", params=hour | {"queue": "default"})).json()
    assert (found["start"], found["step_seconds"]) == ("2030-01-31T12:00:00.000000Z", 60)
    assert len(found["points"]) == 60
    assert found["points"][0]["wait_seconds"] == {"p50": None, "p95": None, "p99": None}
    for wrong in ({"step": 61}, {"step": "x"}, {"to": "2030-01-31T12:00:00Z"}, {"from": "1"}, {"type": "t"}):
        answer = await http.get("/v1/stats/history", params=hour | wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), wrong
