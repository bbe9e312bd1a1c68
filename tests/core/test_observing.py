"""What a look finds: every recorded step once, starts and progress as they are seen, deliveries as they stand."""

import asyncio
import random
from collections import Counter

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import FAILURE, a_job, a_worker, add, claim, conclude

from perdure.core import observing
from perdure.core.observing import Observer
from perdure.models.outcome import Succeeded
from perdure.repositories.job_repository import JobRepository

WRITE = text("""
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, data)
    VALUES (:job_id, :run, 0, 'RESTARTED', now(), '{}')
""")
PENDING = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, status, attempts, fence, snapshot, next_attempt_at,
         created_at)
    VALUES (gen_random_uuid(), :job_id, 1, :event, 'email', 'mailtrap', 'PENDING', 0, 0, '{}', now(), now())
""")


@pytest.fixture
async def observer(any_database):
    observer = Observer(any_database)
    await observer.begin()
    return observer


async def told(observer):
    return [(one.event.value, one.attempt) for one in (await observer.look()).happenings]


async def test_an_event_that_commits_late_is_told_all_the_same(any_database, observer):
    job = a_job(any_database)
    await add(any_database, job)
    async with any_database.engine.connect() as slow, any_database.engine.connect() as lost:
        await slow.execute(WRITE, {"job_id": job.job_id, "run": 1})
        await lost.execute(WRITE, {"job_id": job.job_id, "run": 2})
        async with any_database.transaction() as quick:
            await quick.execute(WRITE, {"job_id": job.job_id, "run": 3})
        assert [one.run for one in (await observer.look()).happenings] == [3]
        floor = observer.tail.floor
        assert [one.run for one in (await observer.look()).happenings] == [], "both are under way"
        await slow.commit()
        await lost.rollback()
        assert [one.run for one in (await observer.look()).happenings] == [1]
        assert observer.tail.floor > floor, "nobody can have the id of the third any more"
    assert observer.tail.gaps == []


async def test_no_step_is_skipped_or_told_twice_among_many_writers(any_database, observer):
    """Writers hold their transactions open for a while, and some roll back; looks fall in between."""
    job, chance, committed = a_job(any_database), random.Random(3), Counter()
    await add(any_database, job)
    writing = 4

    async def writer(number):
        nonlocal writing
        for turn in range(15):
            async with any_database.engine.connect() as connection:
                run = number * 1_000 + turn
                for _ in range(chance.randrange(1, 4)):
                    await connection.execute(WRITE, {"job_id": job.job_id, "run": run})
                    await asyncio.sleep(0)
                    committed[run] += 1
                if chance.random() < 0.3:
                    await connection.rollback()
                    del committed[run]
                else:
                    await connection.commit()
        writing -= 1

    async def look():
        seen = Counter()
        while writing:
            seen.update(one.run for one in (await observer.look()).happenings)
        for _ in range(2):
            seen.update(one.run for one in (await observer.look()).happenings)
        return seen

    seen, *_ = await asyncio.gather(look(), *map(writer, range(4)))
    assert seen == committed
    assert observer.tail.gaps == []


async def test_an_attempt_is_told_from_its_start_to_its_end_in_order(any_database, observer):
    worker_id = await a_worker(any_database)
    await add(any_database, a_job(any_database))
    [job] = await claim(any_database, worker_id)
    assert await told(observer) == [("STARTED", 1)]
    async with any_database.transaction() as connection:
        await JobRepository(connection).save_progress([(job.job_id, job.fence, '{"percent": 5, "message": "on"}')])
    look = await observer.look()
    assert [(one.event.value, one.data["percent"]) for one in look.happenings] == [("PROGRESS", 5)]
    await conclude(any_database, job, FAILURE)
    assert await told(observer) == [("RETRY", 1)]
    assert await told(observer) == []


async def test_attempts_between_two_looks_are_told_whole(any_database, observer):
    worker_id = await a_worker(any_database)
    await add(any_database, a_job(any_database, queue="a"), a_job(any_database, queue="b"))
    [first] = await claim(any_database, worker_id, queue="a")
    await conclude(any_database, first, FAILURE)
    await claim(any_database, worker_id, queue="b")
    async with any_database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.jobs SET status = 'QUEUED' WHERE status = 'RETRYING'"))
    [again] = await claim(any_database, worker_id, queue="a")
    look = await observer.look()
    of_first = [(one.event.value, one.attempt) for one in look.happenings if one.job_id == first.job_id]
    assert of_first == [("STARTED", 1), ("RETRY", 1), ("STARTED", 2)]
    assert [one.event.value for one in look.happenings if one.job_id != first.job_id] == ["STARTED"]
    await conclude(any_database, again, Succeeded(1))
    assert await told(observer) == [("SUCCESS", 2)]


async def test_deliveries_are_told_as_they_stand(any_database, observer):
    worker_id = await a_worker(any_database)
    await add(any_database, a_job(any_database, notifications={"email": {}}))
    [job] = await claim(any_database, worker_id)
    async with any_database.transaction() as connection:
        await JobRepository(connection).apply([job.conclude(Succeeded(1), any_database.clock.now())])
        await connection.execute(PENDING, {"job_id": job.job_id, "event": "SUCCESS"})
    look = await observer.look()
    assert [one.event.value for one in look.happenings] == ["STARTED", "SUCCESS", "DELIVERY"]
    assert look.happenings[-1].data["status"] == "PENDING"
    async with any_database.transaction() as connection:
        await connection.execute(
            text("UPDATE perdure.deliveries SET status = 'SENT', next_attempt_at = NULL, finished_at = now()")
        )
    look = await observer.look()
    assert [(one.event.value, one.data["status"]) for one in look.happenings] == [("DELIVERY", "SENT")]
    assert await told(observer) == []


async def test_what_was_there_before_is_not_told(any_database):
    worker_id = await a_worker(any_database)
    await add(any_database, a_job(any_database), a_job(any_database))
    running, ended = await claim(any_database, worker_id)
    await conclude(any_database, ended, Succeeded(1))
    observer = Observer(any_database)
    await observer.begin()
    assert await told(observer) == []
    await conclude(any_database, running, Succeeded(1))
    assert await told(observer) == [("SUCCESS", 1)], "its start was seen"


async def test_more_than_a_look_holds_is_left_for_the_next(any_database, observer, monkeypatch):
    monkeypatch.setattr(observing, "MAX_EVENTS", 4)
    job = a_job(any_database)
    await add(any_database, job)
    async with any_database.transaction() as connection:
        await connection.execute(WRITE, [{"job_id": job.job_id, "run": run} for run in range(6)])
    first, second = await observer.look(), await observer.look()
    assert (len(first.happenings), first.is_last) == (4, False)
    assert (len(second.happenings), second.is_last) == (2, True)


async def test_steps_of_jobs_that_are_removed_are_passed_over(any_database, observer):
    job = a_job(any_database)
    for run in range(2):
        async with any_database.transaction() as connection:
            await connection.execute(WRITE, {"job_id": job.job_id, "run": run})
        assert (await observer.look()).happenings == []
    assert observer.tail.gaps == []
