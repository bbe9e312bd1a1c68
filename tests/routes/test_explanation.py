"""``GET /v1/jobs/{id}/explain`` over the real tables: each reason once, as it comes to be."""

from uuid import uuid4

import pytest
from sqlalchemy import text
from tests import claiming

from perdure.models.lease import WorkerIdentity
from perdure.models.outcome import ErrorReason, Failed, JobError, Snoozed, Succeeded
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.worker_repository import WorkerRepository

TALLIED = text("""
    INSERT INTO perdure.job_tallies
        (tallied_at, tallier_id, submitted, succeeded, failed, cancelled, retried, attempts, wait_microseconds,
         duration_microseconds)
    VALUES (now(), gen_random_uuid(), 0, 0, 0, 0, 0, :attempts, 0, :duration_microseconds)
""")
TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}


@pytest.fixture
def bench(http, platform):
    return Bench(http, platform)


class Bench:
    """A job's life by hand: there is no worker but the rows that a test writes."""

    def __init__(self, http, platform):
        self.http, self.platform = http, platform

    async def submit(self, **declared):
        return (await self.http.post("/v1/jobs", json={"job_type": "demo.sleep"} | declared)).json()["job_id"]

    async def worker(self, queues=(), job_types=("demo.sleep",), concurrency=1, lease_seconds=60.0, sees_files=True):
        identity = WorkerIdentity(uuid4(), "host", 7, "0.1.0", queues, job_types, concurrency)
        async with self.platform.database.transaction() as connection:
            await WorkerRepository(connection).register(identity, lease_seconds, sees_files=sees_files)
        return identity.worker_id

    async def claim(self, worker_id):
        async with self.platform.database.transaction() as connection:
            [job] = await claiming.claim(connection, "default", ["demo.sleep"], 1, worker_id)
        return job

    async def conclude(self, job, outcome):
        now = self.platform.database.clock.now()
        async with self.platform.database.transaction() as connection:
            await self.platform.recorder.record(connection, [job.conclude(outcome, now)], now)

    async def execute(self, statement):
        async with self.platform.database.transaction() as connection:
            await connection.execute(text(statement))

    async def reasons(self, job_id):
        answer = await self.http.get(f"/v1/jobs/{job_id}/explain")
        assert answer.status_code == 200, answer.text
        explanation = answer.json()
        assert explanation["summary"] == explanation["reasons"][0]["message"]
        return {reason["code"]: reason["data"] for reason in explanation["reasons"]}


async def test_a_scheduled_job_names_its_time(bench):
    job_id = await bench.submit(delay_seconds=3600)
    assert list(await bench.reasons(job_id)) == ["scheduled"]
    await bench.execute("UPDATE perdure.jobs SET run_at = now() - interval '1 minute'")
    assert list(await bench.reasons(job_id)) == ["due", "scheduled"]


async def test_a_ready_job_that_nobody_can_take_says_what_is_missing(bench):
    job_id = await bench.submit()
    await bench.worker(lease_seconds=-1.0)
    assert list(await bench.reasons(job_id)) == ["no_worker"]
    await bench.worker(queues=("elsewhere",))
    assert await bench.reasons(job_id) == {"no_worker_for_queue": {"queue": "default", "alive": 1}}
    await bench.worker(queues=("default",), job_types=("other",))
    assert (await bench.reasons(job_id))["no_worker_for_type"]["serving_queue"] == 1
    await bench.worker(sees_files=False)
    assert "ready" in await bench.reasons(job_id)
    await bench.execute("UPDATE perdure.jobs SET names_files = true")
    assert await bench.reasons(job_id) == {"no_worker_for_files": {"knowing_type": 1}}


async def test_a_ready_job_knows_the_slots_and_its_place(bench):
    first = await bench.submit()
    worker_id = await bench.worker(concurrency=1)
    await bench.submit(queue="elsewhere", priority=100)
    later, urgent = await bench.submit(), await bench.submit(priority=5)
    assert (await bench.reasons(first))["ready"] == {"workers": 1, "slots": 1, "running": 0}
    assert (await bench.reasons(later))["position"] == {"ahead": 2, "at_least": False, "starts_in_seconds": None}
    assert (await bench.reasons(urgent))["position"] == {"ahead": 0, "at_least": False, "starts_in_seconds": 0.0}
    await bench.claim(worker_id)
    assert (await bench.reasons(later))["workers_busy"] == {"workers": 1, "slots": 1, "running": 1}


async def test_how_long_it_waits_is_guessed_from_what_its_queue_did_before(bench):
    done = await bench.submit()
    worker_id = await bench.worker()
    await bench.conclude(await bench.claim(worker_id), Succeeded(None))
    await bench.execute("UPDATE perdure.jobs SET started_at = finished_at - interval '30 seconds'")
    await bench.submit()
    job_id = await bench.submit()
    assert (await bench.reasons(job_id))["position"]["starts_in_seconds"] == 30.0, "one is ahead, one slot is free"
    await bench.claim(worker_id)
    assert (await bench.reasons(job_id))["position"]["starts_in_seconds"] == 30.0, "none is ahead, none is free"
    await bench.execute(f"UPDATE perdure.jobs SET queue = 'elsewhere' WHERE job_id = '{done}'")
    assert (await bench.reasons(job_id))["position"]["starts_in_seconds"] is None
    async with bench.platform.database.transaction() as connection:
        counts = {"attempts": 2, "duration_microseconds": 14_000_000}
        await connection.execute(TALLIED, counts)
    assert (await bench.reasons(job_id))["position"]["starts_in_seconds"] == 7.0, "else what all queues did"


async def test_a_paused_queue_names_who_paused_it_and_why(bench):
    waiting, later = await bench.submit(), await bench.submit(delay_seconds=3600)
    await bench.worker()
    await bench.http.post("/v1/queues/default/pause", json={"reason": "the printer burns"})
    reasons = await bench.reasons(waiting)
    assert list(reasons) == ["queue_paused", "ready", "position"]
    paused = reasons["queue_paused"]
    assert (paused["name"], paused["paused_by"], paused["pause_reason"]) == ("default", "local", "the printer burns")
    assert list(await bench.reasons(later)) == ["scheduled", "queue_paused"]


async def test_a_limit_names_the_jobs_that_hold_it(bench):
    held = [await bench.submit() for _ in range(2)]
    waiting, other = await bench.submit(), await bench.submit(queue="other")
    worker_id = await bench.worker(concurrency=9)
    for _ in held:
        await bench.claim(worker_id)
    await bench.execute("UPDATE perdure.jobs SET is_limited = true, concurrency_key = 'printer'")
    await bench.execute("UPDATE perdure.job_types SET max_concurrent_per_key = 3")
    assert list(await bench.reasons(waiting)) == ["ready", "position"]
    await bench.execute("UPDATE perdure.job_types SET max_concurrent_per_key = 2")
    limit = {"limit_of": "concurrency_key", "allowed": 2, "running": 2, "held_by": held}
    assert (await bench.reasons(waiting))["limit_reached"] == limit
    assert (await bench.reasons(other))["limit_reached"] == limit, "in whatever queue"
    await bench.execute("UPDATE perdure.jobs SET concurrency_key = NULL")
    await bench.execute("UPDATE perdure.job_types SET max_concurrent = 1")
    of_type = {"limit_of": "job_type", "allowed": 1, "running": 2, "held_by": held}
    assert (await bench.reasons(waiting))["limit_reached"] == of_type


async def test_a_worker_that_is_about_to_end_takes_nothing(bench):
    job_id = await bench.submit()
    worker_id = await bench.worker()
    async with bench.platform.database.transaction() as connection:
        await WorkerRepository(connection).drain(worker_id)
    assert list(await bench.reasons(job_id)) == ["no_worker"]


async def test_a_running_job_names_its_worker(bench):
    job_id = await bench.submit()
    worker_id = await bench.worker()
    job = await bench.claim(worker_id)
    assert (await bench.reasons(job_id))["running"]["worker_id"] == str(worker_id)
    async with bench.platform.database.transaction() as connection:
        await JobRepository(connection).save_progress([(job.job_id, job.fence, '{"percent": 5, "message": "on"}')])
    await bench.http.post(f"/v1/jobs/{job_id}/cancel")
    assert list(await bench.reasons(job_id)) == ["running", "times_out", "cancel_requested", "progress"]
    await bench.execute("UPDATE perdure.workers SET lease_until = now() - interval '1 second'")
    assert next(iter(await bench.reasons(job_id))) == "lease_lapsed"


async def test_a_failed_attempt_is_named_while_the_next_one_waits(bench):
    job_id = await bench.submit(retry={"base_seconds": 60, "max_seconds": 60})
    await bench.conclude(
        await bench.claim(await bench.worker()), Failed(JobError(ErrorReason.TIMED_OUT, "TimeoutError", "too slow"))
    )
    backing_off = (await bench.reasons(job_id))["backing_off"]
    assert (backing_off["attempt"], backing_off["error"]["reason"]) == (1, "timed_out")


async def test_a_finished_job_says_how_it_ended_and_who_was_told(bench):
    job_id = await bench.submit(max_retries=0, **TOLD)
    await bench.conclude(
        await bench.claim(await bench.worker()), Failed(JobError(ErrorReason.TIMED_OUT, "TimeoutError", "too slow"))
    )
    assert list(await bench.reasons(job_id)) == ["failed", "being_told"]
    await bench.execute("UPDATE perdure.deliveries SET status = 'SENT', next_attempt_at = NULL, finished_at = now()")
    assert list(await bench.reasons(job_id)) == ["failed", "told"]
    await bench.execute("UPDATE perdure.deliveries SET status = 'FAILED', reason = 'exhausted'")
    assert (await bench.reasons(job_id))["not_told"]["reason"] == "exhausted"
    await bench.http.post(f"/v1/jobs/{job_id}/retry")
    await bench.http.post(f"/v1/jobs/{job_id}/cancel")
    assert list(await bench.reasons(job_id)) == ["cancelled", "nobody_to_tell"], "the last run was told, this one not"


@pytest.mark.parametrize(("outcome", "code"), [(Succeeded(None), "succeeded"), (Snoozed(60.0), "scheduled")])
async def test_other_ends_of_an_attempt_are_told_apart(bench, outcome, code):
    job_id = await bench.submit()
    await bench.conclude(await bench.claim(await bench.worker()), outcome)
    assert next(iter(await bench.reasons(job_id))) == code
