"""Of two live jobs none has the same unique key, and whoever comes second is left out, not hurt."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job

from perdure.models.lifecycle import FINAL, LIVE, JobStatus
from perdure.repositories.job_repository import JobRepository

WAITING_FOR_A_LOCK = text("""
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


async def waiting(database, count: int) -> None:
    """Returns once so many wait for a lock. (In a transaction, what others do would be read only once.)"""
    async with database.session() as connection:
        while (await connection.execute(WAITING_FOR_A_LOCK)).scalar_one() < count:
            pass


async def add(database, *jobs):
    async with database.transaction() as connection:
        return await JobRepository(connection).add(jobs)


async def cancelled(database, job):
    await add(database, job)
    now = database.clock.now()
    async with database.transaction() as connection:
        [held] = await JobRepository(connection).apply([job.cancel(now)])
    return held.job


async def reopen(database, *jobs):
    now = database.clock.now()
    async with database.transaction() as connection:
        held = await JobRepository(connection).apply([job.restart(now) for job in jobs])
    return [transition.job.job_id for transition in held]


async def test_of_jobs_with_one_key_the_first_is_stored(any_database):
    first, other, second, free = (a_job(any_database, unique_key=key) for key in ("b", "a", "b", None))
    assert await add(any_database, first, other, second, free) == [first, other, free]
    late = a_job(any_database, job_type="another", queue="elsewhere", unique_key="a")
    assert await add(any_database, late) == []
    async with any_database.snapshot() as connection:
        holders = await JobRepository(connection).unique_holders(["a", "b", "c"])
    assert holders == {"a": other.job_id, "b": first.job_id}


@pytest.mark.parametrize("status", JobStatus)
async def test_every_live_job_holds_its_key_and_no_final_one(any_database, status):
    job = a_job(any_database, unique_key="k")
    now = job.created_at
    marks = {
        "worker_id": job.job_id if status is JobStatus.RUNNING else None,
        "started_at": now,
        "finished_at": now if status in FINAL else None,
    }
    assert len(await add(any_database, replace(job, status=status, **marks))) == 1
    assert len(await add(any_database, a_job(any_database, unique_key="k"))) == (status not in LIVE)


async def test_a_finished_job_is_not_opened_again_beside_a_live_one_with_its_key(any_database):
    first, second, other = [
        await cancelled(any_database, a_job(any_database, unique_key=key)) for key in ("k", "k", "another")
    ]
    assert await reopen(any_database, first, second, other) == [first.job_id, other.job_id], "one of the two"
    assert await reopen(any_database, second) == []


@pytest.mark.parametrize("is_committed", [True, False])
async def test_whoever_wants_a_key_waits_to_see_whether_it_is_taken(any_database, is_committed):
    """Both found it free; the one that comes to write second decides by what became of the first."""
    ended = await cancelled(any_database, a_job(any_database, unique_key="k"))
    async with any_database.engine.connect() as first:
        assert len(await JobRepository(first).add([a_job(any_database, unique_key="k")])) == 1
        restart = asyncio.create_task(reopen(any_database, ended))
        await waiting(any_database, 1)
        await (first.commit() if is_committed else first.rollback())
    assert await restart == ([] if is_committed else [ended.job_id])


async def test_takers_of_many_keys_never_wait_for_each_other(any_database):
    """Held up at a key in the middle, each has what the other wants next, unless both go one way."""
    sides = [[a_job(any_database, unique_key=key) for key in way] for way in ("abc", "cba")]
    async with any_database.engine.connect() as first:
        await JobRepository(first).add([a_job(any_database, unique_key="b")])
        takers = asyncio.gather(*(add(any_database, *side) for side in sides))
        await waiting(any_database, 2)
        await first.rollback()
    stored = await takers
    assert sorted(job.unique_key for jobs in stored for job in jobs) == ["a", "b", "c"]
