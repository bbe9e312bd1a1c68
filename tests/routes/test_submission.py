"""Submitting safely: a repeated submission is one job, a taken key is a conflict, a dry run stores nothing."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from perdure.core.api_keys import ApiKeys
from perdure.core.retention import START, Retention, RetentionPolicy
from perdure.models.api_key import Scope
from perdure.models.lease import WorkerIdentity
from perdure.models.retry import RetryPolicy
from perdure.repositories.worker_repository import WorkerRepository

JOB = {
    "job_type": "demo.sleep",
    "payload": {"seconds": 1},
    "context": {"email": "ada@example.com", "user_id": "u1"},
    "notifications": {"email": {"on": ["SUCCESS"]}},
    "retry": {"base_seconds": 1, "max_seconds": 3},
}


async def submit(http, body, key=None, query="", **headers):
    headers |= {} if key is None else {"Idempotency-Key": key}
    return await http.post(f"/v1/jobs{query}", json=body, headers=headers)


async def jobs(http):
    return (await http.get("/v1/jobs")).json()["items"]


async def test_the_same_again_under_its_key_is_the_same_job(http):
    first = await submit(http, JOB, "k")
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    await http.post(f"{first.headers['location']}/cancel")
    # Otherwise written, and declaring the same.
    again = await submit(
        http, dict(reversed(JOB.items())) | {"tags": None, "retry": {"max_seconds": 3.0} | JOB["retry"]}, "k"
    )
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.headers["location"] == first.headers["location"]
    assert again.json() == (await http.get(first.headers["location"])).json(), "as it is by now"
    assert (await submit(http, JOB, "another")).status_code == 201
    assert (await submit(http, JOB)).status_code == 201
    assert len(await jobs(http)) == 3


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"payload": {"seconds": 2}}, ["payload.seconds"]),
        ({"payload": {"canary@example.com": 1}}, ["payload.seconds"]),
        ({"payload": {"seconds": 1, "canary@example.com": 1}}, ["payload"]),
        ({"job_type": "canary.never-published", "tags": ["canary"]}, ["job_type", "tags"]),
        ({"context": {"email": "canary@example.com"}}, ["context.email", "context.user_id"]),
        ({"retry": None, "priority": 0}, ["priority", "retry"]),
        ({"notifications": {"email": {"on": []}}}, ["notifications.email"]),
    ],
)
async def test_another_body_under_the_key_is_refused_and_the_fields_named(http, changes, fields):
    first = (await submit(http, JOB, "k")).json()
    answer = await submit(http, JOB | changes, "k")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "idempotency_key_reused")
    assert (problem["fields"], problem["job_id"]) == (fields, first["job_id"])
    assert all(field in problem["detail"] for field in fields)
    assert "canary" not in answer.text
    assert len(await jobs(http)) == 1


async def test_what_was_refused_is_not_kept(http):
    assert (await submit(http, JOB | {"payload": {"seconds": -1}}, "k")).status_code == 422
    assert (await submit(http, JOB, "k")).status_code == 201, "as if it were the first"


async def test_many_at_once_under_one_key_are_one_job(http):
    answers = await asyncio.gather(*(submit(http, JOB, "k") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["job_id"] for answer in answers}) == len(await jobs(http)) == 1


async def test_each_caller_has_keys_of_its_own(http, platform):
    tokens = [(await ApiKeys(platform.database).create(name, [Scope.SUBMIT])).token for name in ("one", "two")]
    for token in tokens:
        for status in (201, 200):
            assert (await submit(http, JOB, "k", authorization=f"Bearer {token}")).status_code == status


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t", "é"])
async def test_what_is_no_key_is_refused(http, key):
    answer = await http.post("/v1/jobs", json=JOB, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert await jobs(http) == []


async def test_a_key_is_refused_where_it_would_not_be_kept(http):
    job = await submit(http, JOB)
    await http.post(f"{job.headers['location']}/cancel")
    for path, body in [
        (f"{job.headers['location']}/retry", {"payload": {"seconds": 2}}),
        ("/v1/jobs/actions", {"action": "retry", "all": True}),
    ]:
        answer = await http.post(path, json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert len(await jobs(http)) == 1


async def test_the_longest_key_is_taken(http):
    assert (await submit(http, JOB, "~" * 255)).status_code == 201


async def age(database, hours):
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE perdure.idempotency_keys SET created_at = created_at - make_interval(hours => :hours)"),
            {"hours": hours},
        )


async def test_a_key_is_known_for_a_day_pruned_or_not(http, database):
    retention = Retention(database, RetentionPolicy(jobs_days=0, audit_days=0))
    await submit(http, JOB, "k")
    await age(database, 23)
    assert (await retention.remove_batch(START)).removed == {}
    assert (await submit(http, JOB, "k")).status_code == 200
    await age(database, 2)
    assert (await submit(http, JOB, "k")).status_code == 201, "taken over"
    assert (await submit(http, JOB, "k")).status_code == 200
    await age(database, 25)
    assert await retention.count_all() == {"idempotency_keys": 1}
    assert (await retention.remove_batch(START)).removed == {"idempotency_keys": 1}


async def test_a_job_that_was_removed_is_not_done_again(http, database):
    first = (await submit(http, JOB, "k")).json()
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.jobs"))
    answer = await submit(http, JOB, "k")
    assert (answer.status_code, answer.json()["code"]) == (409, "replayed_job_removed")
    assert answer.json()["job_id"] == first["job_id"]


async def test_a_taken_unique_key_is_a_conflict_that_names_its_job(http):
    first = (await submit(http, JOB | {"unique_key": "k"})).json()
    assert first["unique_key"] == "k"
    refused = await submit(http, {"job_type": "demo.fail", "unique_key": "k"}, "retried")
    assert (refused.status_code, refused.json()["code"]) == (409, "unique_key_taken")
    assert refused.json()["job_id"] == first["job_id"]
    await http.post(f"/v1/jobs/{first['job_id']}/cancel")
    assert (await submit(http, {"job_type": "demo.fail", "unique_key": "k"}, "retried")).status_code == 201
    retried = await http.post(f"/v1/jobs/{first['job_id']}/retry")
    assert (retried.status_code, retried.json()["code"]) == (409, "unique_key_taken")


async def preview(http, body):
    answer = await submit(http, body, query="?dry_run=true")
    assert answer.status_code == 200, answer.text
    assert await jobs(http) == []
    return answer.json()


async def test_a_dry_run_says_what_would_be_stored_tried_and_told(http):
    found = await preview(http, JOB | {"delay_seconds": 60})
    job = found["job"]
    assert {name: job[name] for name in JOB} == JOB
    assert (job["status"], job["queue"], job["priority"], job["max_attempts"]) == ("SCHEDULED", "default", 0, 4)
    due = datetime.fromisoformat(job["run_at"])
    assert [(retry["attempt"], retry["delay_seconds"]) for retry in found["retries"]] == [(2, 1), (3, 2), (4, 3)]
    last = found["retries"][-1]
    assert datetime.fromisoformat(last["earliest_at"]) == due + timedelta(seconds=6 * 0.8)
    assert datetime.fromisoformat(last["latest_at"]) == due + timedelta(seconds=6 * 1.2)
    told = [(one["event"], one["recipient"], one["status"], one["reason"]) for one in found["deliveries"]]
    assert told == [
        ("SUCCESS", "a***@e***.com", "PENDING", None),
        ("FAILURE", None, "SKIPPED", "event_not_selected"),
    ]


async def test_the_times_of_a_dry_run_hold_those_of_every_job():
    policy, at = RetryPolicy(2.0, 50.0), 3
    assert all(
        0.8 <= policy.delay_seconds(UUID(int=number), at) / policy.mean_seconds(at) <= 1.2 for number in range(99)
    )


async def test_a_dry_run_says_whether_a_worker_can_run_it(http, database):
    alone = await preview(http, JOB)
    assert (alone["has_worker"], alone["reasons"][0]["code"]) == (False, "no_worker")
    async with database.transaction() as connection:
        identity = WorkerIdentity(uuid7(), "host", 1, "0", (), ("demo.sleep",), 1)
        await WorkerRepository(connection).register(identity, 60.0)
    served = await preview(http, JOB | {"delay_seconds": 60})
    assert (served["has_worker"], served["reasons"][0]["code"]) == (True, "ready")
    other = await preview(http, {"job_type": "demo.fail"})
    assert (other["has_worker"], other["reasons"][0]["code"]) == (False, "no_worker_for_type")


async def test_a_dry_run_says_who_has_the_unique_key(http):
    job = (await submit(http, JOB | {"unique_key": "k"})).json()
    answer = await submit(http, JOB | {"unique_key": "k"}, query="?dry_run=true")
    assert answer.json()["unique_holder"] == job["job_id"]


async def test_a_dry_run_keeps_no_key(http):
    assert (await submit(http, JOB, "k", query="?dry_run=true")).status_code == 200
    assert (await submit(http, JOB, "k")).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"job_type": "never.heard"},
        {"job_type": "demo.sleep", "payload": {"seconds": -1}},
        {"job_type": "demo.sleep", "notifications": {"pigeon": {}}},
    ],
)
async def test_a_dry_run_refuses_what_a_submission_would(http, body):
    answers = [await submit(http, body, query=query) for query in ("", "?dry_run=true")]
    assert answers[0].status_code == answers[1].status_code == 422
    assert answers[0].json() == answers[1].json()


async def test_the_latest_job_that_there_can_be_has_a_dry_run(http):
    body = JOB | {
        "run_at": "9999-12-31T23:59:59Z",
        "max_retries": 1000,
        "retry": {"base_seconds": 9e6, "max_seconds": 3e7},
    }
    found = await preview(http, body)
    assert len(found["retries"]) == 20
    assert found["retries"][-1]["latest_at"].startswith("9999-12-31")
