"""How the platform stands: counted right, and from indexes alone, on every PostgreSQL that is there."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests import claiming
from tests.repositories.test_job_repository import a_job, add
from uuid_utils.compat import uuid7

from perdure.clock import first_id_at
from perdure.models.lease import WorkerIdentity
from perdure.repositories import statistics_queries
from perdure.repositories.statistics_queries import StatisticsQueries
from perdure.repositories.tally_repository import TallyRepository
from perdure.repositories.worker_repository import WorkerRepository

MINUTES = timedelta(minutes=1)

AGE = text("""
    UPDATE perdure.job_tallies SET tallied_at = tallied_at - CAST(:age AS interval) WHERE tallier_id = :tallier_id
""")

FINISHED = text("""
    INSERT INTO perdure.jobs
        (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds, retry_base_seconds,
         retry_max_seconds, run_at, created_at, finished_at, payload, tags)
    SELECT gen_random_uuid(), 't', 'default', 0,
           CASE n % 500 WHEN 0 THEN 'QUEUED' WHEN 1 THEN 'SCHEDULED' ELSE 'FAILED' END,
           1, 0, 1, 0, 1, 1, 1, now(), now(), CASE WHEN n % 500 > 1 THEN now() END, '{}', '[]'
    FROM generate_series(1, 5000) AS n
""")

ADD_DELIVERIES = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, recipient, status, reason, attempts, fence,
         next_attempt_at, snapshot, created_at, finished_at)
    SELECT id, gen_random_uuid(), 1, 'SUCCESS', 'email', 'mailtrap', 'a@example.com', status, 'r', 0, 0,
           CASE WHEN status = 'PENDING' THEN now() END, '{}', now() - interval '3 minutes',
           CASE WHEN status <> 'PENDING' THEN now() END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[])) AS new(id, status)
""")


async def read(database):
    async with database.snapshot() as connection:
        return await StatisticsQueries(connection).read()


async def test_an_empty_platform_has_nothing_to_tell(any_database):
    found = await read(any_database)
    assert (found.queues, found.queued, found.running, found.workers_alive, found.slots) == ((), 0, 0, 0, 0)
    assert (found.oldest_waiting_seconds, found.oldest_delivery_seconds) == (None, None)
    assert found.last_hour.submitted == 0
    assert found.last_hour.mean_wait_seconds is None


async def test_what_waits_is_counted_by_queue_and_the_oldest_is_found_under_any_priority(any_database):
    now = any_database.clock.now()
    old = [a_job(any_database, run_at=now - 10 * MINUTES, priority=-50), a_job(any_database, priority=100)]
    ahead = [a_job(any_database, queue="later", run_at=now + 5 * MINUTES) for _ in range(3)]
    fresh = [a_job(any_database, queue="mail", priority=number) for number in range(-3, 3)]
    await add(any_database, *old, *ahead, *fresh)
    found = await read(any_database)
    by_queue = {one.queue: one for one in found.queues}
    assert list(by_queue) == ["default", "later", "mail"]
    assert (by_queue["default"].queued, by_queue["mail"].queued, by_queue["later"].queued) == (2, 6, 0)
    assert by_queue["later"].scheduled == 3
    assert by_queue["later"].oldest_waiting_seconds is None
    assert by_queue["default"].oldest_waiting_seconds == pytest.approx(600, abs=60)
    assert by_queue["mail"].oldest_waiting_seconds < 60
    assert found.oldest_waiting_seconds == by_queue["default"].oldest_waiting_seconds
    assert (found.queued, found.scheduled) == (8, 3)


async def test_jobs_under_limits_wait_like_the_others(any_database):
    old = any_database.clock.now() - 10 * MINUTES
    limited = [
        a_job(any_database, run_at=at, priority=priority, concurrency_key=key, is_limited=True)
        for key in ("a", None)
        for at, priority in ((None, 5), (old, 0))
    ]
    await add(any_database, *limited, a_job(any_database), a_job(any_database, queue="other"))
    found = await read(any_database)
    assert [(one.queue, one.queued) for one in found.queues] == [("default", 5), ("other", 1)]
    assert found.queues[0].oldest_waiting_seconds == pytest.approx(600, abs=60)


async def test_counting_stops_at_the_limit(any_database, monkeypatch):
    monkeypatch.setattr(statistics_queries, "MAX_COUNT_IN_ALL", 5)
    ahead = any_database.clock.now() + MINUTES
    jobs = [a_job(any_database, queue=queue, run_at=at) for queue in "ab" for at in (None, ahead) for _ in range(3)]
    await add(any_database, *jobs)
    found = await read(any_database)
    assert [one.queued for one in found.queues] == [2, 2]
    assert (found.scheduled, found.count_limit) == (2, 2), "what may be counted is shared out among the queues"


async def test_what_runs_and_who_runs_it(any_database):
    living, gone = (WorkerIdentity(uuid4(), "host", 7, "0.1.0", (), ("t",), 8) for _ in range(2))
    await add(any_database, a_job(any_database), a_job(any_database))
    async with any_database.transaction() as connection:
        await WorkerRepository(connection).register(living, 60)
        await WorkerRepository(connection).register(gone, -1)
        await claiming.claim(connection, "default", ["t"], 1, living.worker_id)
    found = await read(any_database)
    assert (found.running, found.queued, found.workers_alive, found.slots) == (1, 1, 1, 8)


async def test_deliveries_of_the_last_day_are_counted_and_those_that_wait_have_an_age(any_database):
    old = first_id_at(any_database.clock.now() - timedelta(hours=25))
    async with any_database.transaction() as connection:
        ids = [old, uuid7(), uuid7(), uuid7()]
        await connection.execute(ADD_DELIVERIES, {"ids": ids, "statuses": ["SENT", "SENT", "FAILED", "PENDING"]})
    found = await read(any_database)
    assert found.deliveries == {"SENT": 1, "FAILED": 1, "PENDING": 1}
    assert found.deliveries_waiting == 1
    assert found.oldest_delivery_seconds == pytest.approx(180, abs=60)
    assert [(one.provider, one.waiting) for one in found.providers] == [("mailtrap", 1)]


async def tally(database, age, **counts):
    async with database.transaction() as connection:
        tallier_id = uuid4()
        await TallyRepository(connection).add(tallier_id, database.clock.now(), counts)
        await connection.execute(AGE, {"age": age, "tallier_id": tallier_id})


async def test_tallies_add_up_over_processes_and_time(any_database):
    times = {"attempts": 4, "wait_microseconds": 2_000_000, "duration_microseconds": 6_000_000}
    await tally(any_database, 10 * MINUTES, submitted=5, succeeded=2, **times)
    await tally(any_database, timedelta(seconds=20), failed=1, retried=3, cancelled=1)
    await tally(any_database, timedelta(seconds=10), submitted=7)
    await tally(any_database, 70 * MINUTES, submitted=100)
    found = await read(any_database)
    minute, hour = found.last_minute, found.last_hour
    assert (minute.submitted, minute.succeeded, minute.failed, minute.retried, minute.cancelled) == (7, 0, 1, 3, 1)
    assert (minute.mean_wait_seconds, minute.mean_duration_seconds) == (None, None)
    assert (hour.submitted, hour.succeeded, hour.failed) == (12, 2, 1)
    assert (hour.mean_wait_seconds, hour.mean_duration_seconds) == (0.5, 1.5)


async def test_tallies_are_forgotten_after_two_hours(any_database):
    await tally(any_database, 119 * MINUTES)
    await tally(any_database, 121 * MINUTES)
    async with any_database.transaction() as connection:
        await TallyRepository(connection).forget_old()
        assert (await connection.execute(text("SELECT count(*) FROM perdure.job_tallies"))).scalar_one() == 1


@pytest.mark.parametrize("name", ["OLDEST", "READY", "NOT_DUE", "RUNNING", "LIVE", "WAITING_DELIVERIES", "DELIVERIES"])
async def test_no_part_reads_the_jobs_from_end_to_end(any_database, name):
    """Beside many finished jobs, and before anybody has analysed the table."""
    async with any_database.transaction() as connection:
        await connection.execute(FINISHED)
    known = {"limit": 100, "queues": ["default"], "first_id": first_id_at(any_database.clock.now())}
    async with any_database.snapshot() as connection:
        statement = getattr(statistics_queries, name).text
        explained = text(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}")
        parameters = {parameter: known[parameter] for parameter in explained.compile().params}
        rows = await connection.execute(explained, parameters)
        plan = "\n".join(rows.scalars())
    assert not re.search(r"Seq Scan on (jobs|deliveries)", plan), plan
    assert all(int(removed) == 0 for removed in re.findall(r"Rows Removed by Filter: (\d+)", plan)), plan
