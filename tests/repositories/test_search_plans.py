"""Each filter of the list, and each usual pair, reads little where what it looks for is rare, old, or not there at all.

Whatever the planner was last told of the tables; planned as in ``test_plans``.
"""

import math
from collections.abc import AsyncIterator
from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.repositories.test_plans import MODES, Plan, execute, explain, sent

from perdure.db.session import Database
from perdure.models.lifecycle import JobStatus
from perdure.repositories import job_search, job_ways
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_queries import JobQueries
from perdure.repositories.retention_repository import Cutoffs, RetentionRepository

JOBS, ALIKE, LIMIT = 6_000, 500, 20
ROWS, BUFFERS = 400, 400
"""A page of what is frequent reads as many jobs of each of ten queues, and takes the newest."""
TABLES = ("perdure.jobs", "perdure.job_tags")

# Newer jobs are of one user, type and error group, and succeeded, failed or wait; the six oldest are not.
FILL = text("""
    INSERT INTO perdure.jobs
        (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, timeout_seconds,
         retry_base_seconds, retry_max_seconds, run_at, created_at, finished_at, payload, tags, context, error)
    SELECT overlay('019a0000-0000-7000-8000-000000000000' PLACING lpad(to_hex(number), 12, '0') FROM 25)::uuid,
           CASE WHEN rare THEN 'rare' ELSE 'usual' END, CASE WHEN rare THEN 'rare' ELSE 'q' || number % 10 END,
           0, status, 1, 1, 4, 1, 60, 2, 300, now(), now(),
           CASE WHEN status NOT IN ('QUEUED', 'SCHEDULED') THEN now() END, '{}',
           CASE WHEN rare THEN '["rare"]' ELSE '["usual"]' END::jsonb,
           CASE WHEN rare THEN '{"user_id": "rare", "email": "Rare@example.com"}'
                ELSE '{"user_id": "usual", "email": "usual@example.com"}' END::jsonb,
           CASE WHEN status NOT IN ('CANCELLED', 'FAILED') THEN NULL
                WHEN rare THEN '{"type": "Rare", "message": "seldom seen", "fingerprint": "00000000000000aa"}'
                ELSE '{"type": "Usual", "message": "seen again", "fingerprint": "00000000000000bb"}' END::jsonb
                || '{"reason": "not_retryable"}'
    FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS number
    CROSS JOIN LATERAL (SELECT number <= 5 AS rare,
        (CASE number WHEN 1 THEN 'CANCELLED' WHEN 2 THEN 'FAILED' WHEN 3 THEN 'SCHEDULED' WHEN 6 THEN 'CANCELLED'
         ELSE (ARRAY['SUCCEEDED', 'FAILED', 'QUEUED'])[number % 3 + 1] END) AS status) AS kind
""")
TAG = "INSERT INTO perdure.job_tags SELECT tags ->> 0, job_id FROM perdure.jobs ON CONFLICT DO NOTHING"
ANALYSE = f"ANALYZE {', '.join(TABLES)}"

CANCELLED, FAILED, QUEUED, RETRYING = (
    [status] for status in (JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.QUEUED, JobStatus.RETRYING)
)
SEARCHES: dict[str, tuple[dict, set[str]]] = {
    "nothing": ({}, {"jobs_pkey"}),
    "state": ({"status": CANCELLED}, {"jobs_group"}),
    "state that is frequent": ({"status": FAILED}, {"jobs_group"}),
    "running": ({"status": [JobStatus.RUNNING]}, {"jobs_running"}),
    "type": ({"job_type": "rare"}, {"jobs_group", "jobs_running"}),
    "type that is not there": ({"job_type": "absent"}, {"jobs_group"}),
    "queue": ({"queue": "rare"}, {"jobs_group"}),
    "queue and type": ({"queue": "rare", "job_type": "rare"}, {"jobs_group"}),
    "state and type": ({"status": CANCELLED, "job_type": "usual"}, {"jobs_group"}),
    "waiting of a type": ({"status": QUEUED, "job_type": "rare"}, {"jobs_group"}),
    "user": ({"user_id": "rare"}, {"jobs_user"}),
    "user and state": ({"user_id": "usual", "status": CANCELLED}, {"jobs_user"}),
    "user and type": ({"user_id": "rare", "job_type": "usual"}, {"jobs_user"}),
    "address": ({"email": "RARE@example.com"}, {"jobs_email"}),
    "address and state": ({"email": "usual@example.com", "status": CANCELLED}, {"jobs_email"}),
    "user and type that is rare": ({"user_id": "usual", "job_type": "rare"}, {"jobs_user", "jobs_group"}),
    "user and type that is not there": ({"user_id": "usual", "job_type": "absent"}, {"jobs_user", "jobs_group"}),
    "user and address": ({"user_id": "usual", "email": "rare@example.com"}, {"jobs_user", "jobs_email"}),
    "tag": ({"tag": "rare"}, {"job_tags_pkey"}),
    "tag and state that is rare": ({"tag": "usual", "status": CANCELLED}, {"job_tags_pkey", "jobs_group"}),
    "tag and state that is not there": ({"tag": "usual", "status": RETRYING}, {"job_tags_pkey", "jobs_group"}),
    "tag and user": ({"tag": "usual", "user_id": "rare"}, {"job_tags_pkey", "jobs_user"}),
    "tag and state": ({"tag": "rare", "status": FAILED}, {"job_tags_pkey"}),
    "error group": ({"error_group": "00000000000000aa"}, {"jobs_error_group"}),
    "error group and queue": ({"error_group": "00000000000000aa", "queue": "q1"}, {"jobs_error_group"}),
    "error group and queue that is rare": (
        {"error_group": "00000000000000bb", "queue": "rare"},
        {"jobs_error_group", "jobs_group"},
    ),
    "word": ({"q": "seldom"}, {"jobs_error_words"}),
    "word that is frequent": ({"q": "again"}, {"jobs_failed"}),
    "word that is frequent, and user": ({"q": "again", "user_id": "rare"}, {"jobs_failed", "jobs_user"}),
    "id": ({"q": "019a0000-0000-7000-8000-000000000004"}, {"jobs_pkey"}),
    "beginning of ids and type": ({"q": "019a0000-0000", "job_type": "rare"}, {"jobs_group"}),
}


@pytest.fixture(params=["never analysed", "analysed when all was alike", "analysed"])
async def history(request: pytest.FixtureRequest, any_database: Database) -> AsyncIterator[Database]:
    """The states of what the planner knows. Nobody else tells it anything meanwhile."""
    database = any_database
    await execute(database, *(f"ALTER TABLE {table} SET (autovacuum_enabled = false)" for table in TABLES))
    try:
        await execute(database, FILL, TAG, first=JOBS - ALIKE + 1, last=JOBS)
        if request.param == "analysed when all was alike":
            await execute(database, "UPDATE perdure.jobs SET status = 'SUCCEEDED', finished_at = now()", ANALYSE)
        await execute(database, FILL, TAG, first=1, last=JOBS - ALIKE)
        if request.param == "analysed":
            await execute(database, ANALYSE)
        yield database
    finally:
        await execute(database, *(f"ALTER TABLE {table} RESET (autovacuum_enabled)" for table in TABLES))


async def plans_of(connection: AsyncConnection, database: Database, wanted: JobFilter, mode: str) -> list[Plan]:
    with sent(database) as statements:
        await JobQueries(connection).newest(wanted, None, LIMIT)
    return [await explain(connection, *statement, mode) for statement in statements]


def rows(plan: Plan) -> float:
    """How many rows and entries were looked at."""
    scans = [
        node for node in plan.nodes() if node["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    ]
    return sum(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) for node in scans)


def flaws(plan: Plan) -> list[str]:
    """What the index of words finds comes as a bitmap, and from nowhere else."""
    with_words = "jobs_error_words" in plan.indexes
    return [flaw for flaw in plan.flaws if not (with_words and flaw.startswith("Bitmap"))]


async def test_each_filter_reads_little(history, monkeypatch):
    monkeypatch.setattr(job_search, "FIRST_LOOK", 2 * LIMIT)
    monkeypatch.setattr(job_search, "LOOKING_SECONDS", math.inf)
    monkeypatch.setattr(job_ways, "FREQUENT", LIMIT)
    async with history.snapshot() as connection:
        for mode, (name, (wanted, indexes)) in product(MODES, SEARCHES.items()):
            found = await plans_of(connection, history, JobFilter(**wanted), mode)
            assert [flaw for plan in found for flaw in flaws(plan)] == [], name
            assert indexes <= set().union(*(plan.indexes for plan in found)), name
            assert sum(map(rows, found)) <= ROWS, name
            assert sum(plan.buffers for plan in found) <= BUFFERS, name


async def test_a_search_without_end_is_answered_in_parts(any_database, monkeypatch):
    """Half of all jobs have this tag and the others this state: no index knows that none has both."""
    monkeypatch.setattr(job_search, "FIRST_LOOK", 2 * LIMIT)
    monkeypatch.setattr(job_search, "LOOKING_SECONDS", 0)
    apart = "UPDATE perdure.jobs SET tags = '[\"other\"]' WHERE status = 'FAILED'"
    await execute(any_database, FILL, apart, TAG, first=6, last=ALIKE)
    async with any_database.snapshot() as connection:
        wanted, rest, parts = JobFilter(tag="usual", status=[JobStatus.FAILED]), None, []
        while True:
            with sent(any_database) as statements:
                found = await JobQueries(connection).newest(wanted, rest, LIMIT)
            plans = [await explain(connection, *statement, "custom") for statement in statements]
            parts.append(sum(map(rows, plans)))
            if found.rest is None:
                break
            assert found.jobs == []
            assert rest is None or found.rest < rest
            rest = found.rest
        assert len(parts) > 3
        assert max(parts) <= ROWS


async def test_the_tags_of_old_jobs_are_found_one_by_one(any_database):
    await execute(any_database, FILL, TAG, first=1, last=ALIKE)
    async with any_database.transaction() as connection:
        jobs = [job.job_id for job in (await JobQueries(connection).newest(JobFilter(tag="rare"), None, LIMIT)).jobs]
        now = any_database.clock.now()
        with sent(any_database) as statements:
            removed = await RetentionRepository(connection, Cutoffs(now, now)).remove(jobs)
        assert removed["job_tags"] == removed["jobs"] == 3
        [(statement, parameters)] = [one for one in statements if one[0].startswith("DELETE FROM perdure.job_tags")]
        for mode in MODES:
            plan = await explain(connection, statement, parameters, mode)
            assert (flaws(plan), plan.indexes) == ([], {"jobs_pkey", "job_tags_pkey"})


async def test_these_tests_notice_what_is_missing(any_database):
    await execute(any_database, FILL, first=1, last=ALIKE)
    async with any_database.snapshot() as connection:
        await connection.exec_driver_sql("DROP INDEX perdure.jobs_group")
        [plan] = await plans_of(connection, any_database, JobFilter(job_type="rare"), "custom")
        assert flaws(plan)
        await connection.rollback()
