"""The database commits, and its answer is lost with the connection: the client is told to look, and what is, is whole.

Doing it again does no harm where the state forbids it, or under an idempotency key; where there is neither (another
submission, a resend) it is done twice, as documented: a request without an answer may have been carried out.
"""

import asyncpg
import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import text

TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["CANCELLED"]}}}


@pytest.fixture
def losing(monkeypatch):
    """Called, it lets the next commit succeed, and the connection break before that is said."""
    commit, fetch = Transaction.commit, asyncpg.Connection.fetch

    def broken(connection):
        monkeypatch.setattr(Transaction, "commit", commit)
        monkeypatch.setattr(asyncpg.Connection, "fetch", fetch)
        connection.terminate()
        return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    def lose_next():
        async def commit_and_break(transaction):
            await commit(transaction)
            raise broken(transaction._connection)

        async def store_and_break(connection, *asked):  # a statement that commits itself
            await fetch(connection, *asked)
            raise broken(connection)

        monkeypatch.setattr(Transaction, "commit", commit_and_break)
        monkeypatch.setattr(asyncpg.Connection, "fetch", store_and_break)

    return lose_next


async def refused(http, losing, path, **sent):
    losing()
    answer = await http.post(path, **sent)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def only_job(http):
    [job] = (await http.get("/v1/jobs")).json()["items"]
    return (await http.get(f"/v1/jobs/{job['job_id']}")).json()


async def timeline(http, job):
    return [one["event"] for one in (await http.get(f"/v1/jobs/{job['job_id']}/events")).json()["items"]]


async def test_a_submitted_job_is_whole(http, losing):
    await refused(http, losing, "/v1/jobs", json={"job_type": "demo.sleep", "payload": {"seconds": 1}} | TOLD)
    job = await only_job(http)
    assert (job["status"], job["payload"], job["notifications"]) == ("QUEUED", {"seconds": 1}, TOLD["notifications"])
    assert await timeline(http, job) == ["CREATED"]


async def test_a_submission_under_a_key_is_found_when_asked_again(http, losing):
    sent = {"json": {"job_type": "demo.sleep"}, "headers": {"Idempotency-Key": "k"}}
    await refused(http, losing, "/v1/jobs", **sent)
    again = await http.post("/v1/jobs", **sent)
    assert (again.status_code, again.json()) == (200, await only_job(http))


async def test_cancel_retry_and_resend_are_done_and_said_when_asked_again(http, losing, database):
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | TOLD)).json()
    path = f"/v1/jobs/{job['job_id']}"
    await refused(http, losing, f"{path}/cancel")
    assert (await only_job(http))["status"] == "CANCELLED"
    assert (await http.post(f"{path}/cancel")).status_code == 409

    [delivery] = (await http.get(f"{path}/deliveries")).json()["items"]
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE perdure.deliveries SET status = 'SENT', finished_at = now(), next_attempt_at = NULL")
        )
    await refused(http, losing, f"/v1/deliveries/{delivery['delivery_id']}/resend")
    told = (await http.get(f"{path}/deliveries")).json()["items"]
    assert [one["resend_of"] for one in sorted(told, key=lambda one: one["created_at"])] == [
        None,
        delivery["delivery_id"],
    ]

    await refused(http, losing, f"{path}/retry")
    job = await only_job(http)
    assert (job["status"], job["run"]) == ("QUEUED", 2)
    assert (await http.post(f"{path}/retry")).status_code == 409
    assert await timeline(http, job) == ["CREATED", "CANCELLED", "RESTARTED"]
