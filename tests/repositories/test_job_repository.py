"""What the statements promise, on every PostgreSQL that is there."""

import asyncio
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests import claiming
from uuid_utils.compat import uuid7

from perdure.db.session import Database
from perdure.models.job import Job
from perdure.models.lease import WorkerIdentity
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, Failed, JobError, Succeeded
from perdure.models.place import START
from perdure.models.retry import RetryPolicy
from perdure.repositories.job_claims import JobClaims
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.limit_repository import LimitRepository
from perdure.repositories.mappers import JOB_COLUMNS
from perdure.repositories.statements import column_list
from perdure.repositories.worker_repository import WorkerRepository

TYPES = ["t"]


def a_job(database: Database, **changes) -> Job:
    now = database.clock.now()
    declared = {
        "job_type": "t",
        "payload": {"n": 1},
        "queue": "default",
        "priority": 0,
        "max_attempts": 3,
        "timeout_seconds": 60.0,
        "retry": RetryPolicy(1.0, 2.0),
    }
    run_at = changes.pop("run_at", None)
    return Job.submit(job_id=uuid7(), run_at=run_at, now=now, **(declared | changes))


async def add(database: Database, *jobs: Job) -> None:
    async with database.transaction() as connection:
        await JobRepository(connection).add(jobs)


async def a_worker(database: Database, lease_seconds: float = 60.0):
    identity = WorkerIdentity(uuid7(), "host", 1, "0", (), ("t",), 1)
    async with database.transaction() as connection:
        await WorkerRepository(connection).register(identity, lease_seconds)
    return identity.worker_id


async def claim(database: Database, worker_id, limit: int = 10, queue: str = "default") -> list[Job]:
    async with database.transaction() as connection:
        return await claiming.claim(connection, queue, TYPES, limit, worker_id)


async def conclude(database: Database, job: Job, outcome) -> bool:
    async with database.transaction() as connection:
        return bool(await JobRepository(connection).apply([job.conclude(outcome, database.clock.now())]))


async def stored(database: Database, job: Job) -> Job:
    async with database.snapshot() as connection:
        found = await JobQueries(connection).get(job.job_id)
    assert found is not None
    return found


FAILURE = Failed(JobError(ErrorReason.RETRIES_EXHAUSTED, "ValueError", "no", "trace"))


async def test_a_job_comes_back_as_it_was_stored(any_database):
    job = a_job(
        any_database,
        payload={"text": "ü €", "deep": [1, 2.5, None, {"x": True}], "big": 2**53 - 1},
        context={"email": "ada@example.com", "z": None, "nested": {"a": []}},
        notifications={"email": {"on": ["SUCCESS", "SUCCESS"]}},
        tags=("b", "a"),
        priority=7,
    )
    await add(any_database, job)
    assert await stored(any_database, job) == job


async def test_absent_and_empty_are_told_apart(any_database):
    absent, empty = a_job(any_database), a_job(any_database, context={}, notifications={})
    await add(any_database, absent, empty)
    assert (await stored(any_database, absent)).context is None
    assert (await stored(any_database, empty)).notifications == {}


async def test_claims_follow_priority_then_time_then_id(any_database):
    now = any_database.clock.now()
    low = a_job(any_database, priority=-5)
    later = a_job(any_database)
    earlier = replace(a_job(any_database), run_at=now - timedelta(minutes=1))
    high = a_job(any_database, priority=5)
    await add(any_database, low, later, earlier, high)
    worker = await a_worker(any_database)
    claimed = [job.job_id for job in await claim(any_database, worker)]
    assert claimed == [high.job_id, earlier.job_id, later.job_id, low.job_id]


async def test_a_claim_may_begin_at_a_place(any_database):
    high, first, second = a_job(any_database, priority=5), a_job(any_database), a_job(any_database)
    other = a_job(any_database, queue="other")
    await add(any_database, high, first, second, other)
    worker = await a_worker(any_database)
    async with any_database.statement() as driver:
        marks = {"other": START, "default": second.place, "none": START}
        claimed = await JobClaims(driver).claim(marks, TYPES, 10, worker)
        assert [job.job_id for job in claimed] == [second.job_id, other.job_id]
        marks = {"other": START, "default": first.place}
        assert [job.job_id for job in await JobClaims(driver).claim(marks, TYPES, 10, worker)] == [first.job_id]
        assert [job.job_id for job in await JobClaims(driver).claim([], TYPES, 10, worker)] == [high.job_id]


async def test_a_claim_raises_the_fence_and_counts_the_attempt(any_database):
    job = a_job(any_database)
    await add(any_database, job)
    [claimed] = await claim(any_database, await a_worker(any_database))
    assert (claimed.status, claimed.attempt, claimed.fence) == (JobStatus.RUNNING, 1, 1)
    assert claimed.started_at is not None


async def test_a_claimed_job_is_the_job_whole(any_database):
    now = any_database.clock.now()
    full = replace(
        a_job(any_database, context={}, notifications={"email": {}}, tags=("a",), names_files=True),
        created_at=now - timedelta(days=1, microseconds=1),
        expires_at=now + timedelta(days=1),
        unique_key="u",
        concurrency_key="k",
        is_limited=False,
        copy_of=uuid7(),
        run=3,
        snoozes=2,
        progress={"percent": 1.0, "message": None},
        error=FAILURE.error,
    )
    plain = a_job(any_database)
    assert vars(plain).keys() == {one.name for one in fields(Job)}
    await add(any_database, plain, full)
    async with any_database.statement() as driver:
        claimed = await JobClaims(driver).claim([], TYPES, 10, await a_worker(any_database))
    assert {job.job_id for job in claimed} == {plain.job_id, full.job_id}
    for job in claimed:
        assert job == await stored(any_database, job)
        assert job.conclude(Succeeded(1), now).job.started_at == job.started_at


async def test_concurrent_claims_share_out_the_jobs(any_database):
    await add(any_database, *(a_job(any_database) for _ in range(60)))
    worker = await a_worker(any_database)
    claims = await asyncio.gather(*(claim(any_database, worker, 15) for _ in range(5)))
    ids = [job.job_id for jobs in claims for job in jobs]
    assert len(ids) == len(set(ids)) == 60


async def test_only_known_types_and_the_asked_queue_are_claimed(any_database):
    await add(any_database, a_job(any_database, job_type="other"), a_job(any_database, queue="elsewhere"))
    assert await claim(any_database, await a_worker(any_database)) == []


async def test_a_worker_without_a_living_lease_claims_nothing(any_database):
    await add(any_database, a_job(any_database))
    assert await claim(any_database, uuid7()) == []
    assert await claim(any_database, await a_worker(any_database, lease_seconds=-1.0)) == []


async def test_the_fence_refuses_a_worker_whose_job_was_given_on(any_database):
    await add(any_database, a_job(any_database))
    [stale] = await claim(any_database, await a_worker(any_database))
    assert await conclude(any_database, stale, Failed(JobError(ErrorReason.WORKER_LOST, "WorkerLost", "gone")))
    async with any_database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.jobs SET status = 'QUEUED'"))
    [newer] = await claim(any_database, await a_worker(any_database))
    assert not await conclude(any_database, stale, Succeeded("late"))
    assert (await stored(any_database, newer)).status is JobStatus.RUNNING
    assert await conclude(any_database, newer, Succeeded("right"))
    assert (await stored(any_database, newer)).result == "right"
    assert not await conclude(any_database, newer, Succeeded("twice"))


async def test_a_refused_transition_leaves_no_event(any_database):
    await add(any_database, a_job(any_database))
    [job] = await claim(any_database, await a_worker(any_database))
    await conclude(any_database, job, Succeeded(None))
    await conclude(any_database, job, FAILURE)
    async with any_database.snapshot() as connection:
        timeline = await JobQueries(connection).timeline(await stored(any_database, job))
    assert [entry.event.value for entry in timeline] == ["CREATED", "STARTED", "SUCCESS"]


async def test_a_cancel_request_that_came_between_is_noticed(any_database):
    await add(any_database, a_job(any_database))
    [job] = await claim(any_database, await a_worker(any_database))
    async with any_database.transaction() as connection:
        await JobRepository(connection).request_cancel([job.job_id], any_database.clock.now())
    assert not await conclude(any_database, job, FAILURE)
    assert await conclude(any_database, await stored(any_database, job), FAILURE)
    assert (await stored(any_database, job)).status is JobStatus.CANCELLED


async def test_due_jobs_become_ready_and_the_next_is_announced(any_database):
    now = any_database.clock.now()
    due = replace(a_job(any_database), status=JobStatus.SCHEDULED, run_at=now - timedelta(seconds=1))
    later = a_job(any_database, run_at=now + timedelta(hours=1))
    await add(any_database, due, later)
    async with any_database.transaction() as connection:
        jobs = JobRepository(connection)
        assert await jobs.promote_due(10) == 1
        seconds = await jobs.seconds_until_next_due()
    assert seconds is not None
    assert 3_590 < seconds <= 3_600
    assert (await stored(any_database, due)).status is JobStatus.QUEUED
    assert (await stored(any_database, later)).status is JobStatus.SCHEDULED


async def test_two_promoters_share_out_what_is_due_at_once(any_database):
    due = a_job(any_database, run_at=any_database.clock.now() + timedelta(milliseconds=1))
    await add(any_database, due)
    others = column_list([column for column in JOB_COLUMNS if column.name != "job_id"])
    async with any_database.transaction() as connection:
        copies = f"SELECT gen_random_uuid(), {others} FROM perdure.jobs, generate_series(2, {(count := 10_000)})"
        await connection.execute(text(f"INSERT INTO perdure.jobs (job_id, {others}) {copies}"))

    async def promote() -> list[int]:
        batches = []
        while not batches or batches[-1]:
            async with any_database.transaction() as connection:
                batches.append(await JobRepository(connection).promote_due(1_000))
        return batches

    one, other = await asyncio.gather(promote(), promote())
    assert max(one + other) == 1_000
    assert sum(one + other) == count, "each was moved once"
    assert min(one[0], other[0]) > 0, "side by side"


async def test_jobs_of_dead_workers_are_found_and_others_are_not(any_database):
    await add(any_database, a_job(any_database), a_job(any_database))
    living, dying = await a_worker(any_database), await a_worker(any_database)
    await claim(any_database, living, 1)
    [lost] = await claim(any_database, dying, 1)
    async with any_database.transaction() as connection:
        assert await JobRepository(connection).lock_abandoned(10) == []
        await WorkerRepository(connection).retire([dying])
        found = await JobRepository(connection).lock_abandoned(10)
    assert [job.job_id for job in found] == [lost.job_id]


async def test_ready_queues_are_listed_once_each(any_database):
    jobs = [a_job(any_database, queue=queue) for queue in ("b", "a", "b", "c", "a")]
    await add(any_database, *jobs)
    async with any_database.transaction() as connection:
        assert await LimitRepository(connection).ready_queues() == {"a", "b", "c"}


async def test_progress_is_kept_only_while_the_attempt_holds_the_job(any_database):
    await add(any_database, a_job(any_database))
    [job] = await claim(any_database, await a_worker(any_database))
    async with any_database.transaction() as connection:
        await JobRepository(connection).save_progress([(job.job_id, job.fence - 1, '{"percent": 1}')])
    assert (await stored(any_database, job)).progress is None
    async with any_database.transaction() as connection:
        await JobRepository(connection).save_progress([(job.job_id, job.fence, '{"percent": 2}')])
    assert (await stored(any_database, job)).progress == {"percent": 2}


async def test_a_lapsed_lease_is_not_renewed(any_database):
    lapsed, living = await a_worker(any_database, lease_seconds=-1.0), await a_worker(any_database)
    async with any_database.transaction() as connection:
        workers = WorkerRepository(connection)
        assert await workers.renew([lapsed, living], 60.0) == [living]
        assert (await workers.attend(lapsed), await workers.attend(living)) == (None, [])


async def test_pages_do_not_overlap(any_database):
    jobs = [a_job(any_database, queue="a" if number % 2 else "b") for number in range(9)]
    await add(any_database, *jobs)
    async with any_database.snapshot() as connection:
        queries = JobQueries(connection)
        first = (await queries.newest(JobFilter(queue="a"), None, 3)).jobs
        rest = (await queries.newest(JobFilter(queue="a"), first[-1].job_id, 3)).jobs
    wanted = [job.job_id for job in reversed(jobs) if job.queue == "a"]
    assert [job.job_id for job in first + rest] == wanted


@pytest.mark.parametrize(
    "breach",
    [
        "status = 'RUNNING'",
        "status = 'SUCCEEDED'",
        "finished_at = now()",
        "attempt = 4",
        "rank = 101",
        "status = 'LOST'",
    ],
)
async def test_the_table_itself_refuses_states_that_cannot_be(any_database, breach):
    await add(any_database, a_job(any_database))
    with pytest.raises(Exception, match="violates check constraint"):
        async with any_database.transaction() as connection:
            await connection.execute(text(f"UPDATE perdure.jobs SET {breach}"))
