"""The statements that run all day find what they need by its index, whatever the planner was last told of the tables.

The plans are those of the statements as the repositories send them, with the same parameters, on connections as
``Database`` makes them, planned for these parameters (custom) and for any (generic): a driver that prepares its
statements, as ours does, gets either.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests import claiming
from tests.repositories.test_job_repository import a_job, a_worker
from tests.repositories.test_limit_repository import publish
from uuid_utils.compat import uuid7

from perdure.core.retention import START as BEFORE_ALL
from perdure.core.retention import RetentionPolicy
from perdure.db.driver import InTransaction
from perdure.db.session import Database
from perdure.models.event_tail import EventTail, Gap
from perdure.models.job_log import LogLevel, LogLine
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import Succeeded
from perdure.models.place import START, Place
from perdure.repositories.delivery_claims import MAX_OVERDUE, DeliveryClaims, Served
from perdure.repositories.expiring_jobs import ExpiringJobs
from perdure.repositories.explanation_queries import ExplanationQueries
from perdure.repositories.job_claims import JobClaims
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_matches import JobMatches
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.limit_repository import LimitRepository
from perdure.repositories.retention_repository import RetentionRepository
from perdure.repositories.schedule_repository import ScheduleRepository
from perdure.repositories.stream_queries import StreamQueries
from perdure.repositories.worker_queries import WorkerQueries
from perdure.repositories.worker_repository import WorkerRepository

FINISHED, READY, WAITING, RUNNING = 20_000, 300, 1_000, 100
BLOCKED = 5_000
LIMIT = 50
BUFFERS_OF_A_LOOK, BUFFERS_OF_A_CLAIM = 30, 25
"""What a claim may read: to find the first job, and for each that it takes, whose row and index entries are written."""

BUFFERS_OF_AN_ANSWER = 1_200
"""What one statement for people may read: as many rows as it looks at, each perhaps on a page of its own."""

SERVED = Served(
    channel="email",
    provider="mailtrap",
    slots=LIMIT,
    burst=LIMIT,
    interval_seconds=0.1,
    max_age_seconds=3_600.0,
    slots_each=LIMIT,
)

MODES = "custom", "generic"
TABLES = ("jobs", "deliveries", "delivery_attempts", "job_events", "job_files", "workers", "schedule_slots")

# Jobs in 50 queues that are done, ready ones in one of 201 priorities, and jobs that wait (few of them are due), or run
# under a lost worker.
FILL = text("""
    INSERT INTO perdure.jobs
        (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, worker_id, timeout_seconds,
         retry_base_seconds, retry_max_seconds, run_at, created_at, started_at, finished_at, expires_at, payload, tags)
    SELECT overlay('019a0000-0000-7000-8000-000000000000' PLACING lpad(to_hex(number), 12, '0') FROM 25)::uuid, 't',
           CASE status WHEN 'SUCCEEDED' THEN 'q' || number % 50 ELSE 'busy' END, number % 201 - 100, status, 1, 1, 4, 1,
           CASE status WHEN 'RUNNING' THEN CAST(:worker AS uuid) END, 60, 2, 300,
           now() + number * interval '1 s' * CASE WHEN status = 'SCHEDULED' AND number % 50 > 0 THEN 1 ELSE -1 END,
           now(), now(), CASE status WHEN 'SUCCEEDED' THEN now() END,
           CASE WHEN number % 10 = 0 THEN now() + make_interval(secs => number) END, '{}', '[]'
    FROM unnest(CAST(:statuses AS text[]), CAST(:counts AS integer[])) WITH ORDINALITY AS kind(status, count, place),
         generate_series(place * 1000000 + 1, place * 1000000 + count) AS number
""")
# Jobs of one key that waits for its slot, before all others of the queue; and one of another key.
FILL_LIMITED = text("""
    INSERT INTO perdure.jobs
        (job_id, job_type, queue, rank, status, run, attempt, max_attempts, fence, worker_id, timeout_seconds,
         retry_base_seconds, retry_max_seconds, run_at, created_at, started_at, payload, tags, concurrency_key,
         is_limited)
    SELECT gen_random_uuid(), 't', 'busy', -100, CASE number WHEN 0 THEN 'RUNNING' ELSE 'QUEUED' END, 1, 1, 4, 1,
           CASE number WHEN 0 THEN CAST(:worker AS uuid) END, 60, 2, 300, now(), now(), now(), '{}', '[]',
           CASE number WHEN 1 THEN 'free' ELSE 'blocked' END, true
    FROM generate_series(0, CAST(:blocked AS integer)) AS number
""")
FILL_DELIVERIES = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, destination, provider, status, attempts, fence, snapshot,
         next_attempt_at, created_at, finished_at)
    SELECT job_id, job_id, 1, 'SUCCESS', 'email', CASE status WHEN 'SCHEDULED' THEN 'waits' ELSE '' END, 'mailtrap',
           CASE WHEN live THEN 'PENDING' ELSE 'SENT' END, 0, 0, '{}', CASE WHEN live THEN run_at END, now(),
           CASE WHEN NOT live THEN now() END
    FROM perdure.jobs, LATERAL (SELECT status IN ('QUEUED', 'SCHEDULED') AS live) AS delivery
""")
# Slots of a schedule that got a job long ago and none since, and of another that always gets one.
FILL_SLOTS = text("""
    INSERT INTO perdure.schedule_slots (name, slot_at, outcome, job_id)
    SELECT name, now() - make_interval(days => 3000 - number), CASE WHEN got_one THEN 'submitted' ELSE 'overlapped' END,
           CASE WHEN got_one THEN gen_random_uuid() END
    FROM unnest(ARRAY['nightly', 'often']) AS name, generate_series(1, 3000) AS number,
         LATERAL (SELECT name = 'often' OR number < 5 AS got_one) AS slot
""")
# What autovacuum noted about the rows of earlier tests outlives them: TRUNCATE leaves it there.
FORGET = text("DELETE FROM pg_statistic WHERE starelid = ANY (CAST(CAST(:tables AS text[]) AS regclass[]))")
FINISH = text("""
    UPDATE perdure.jobs SET status = 'SUCCEEDED', finished_at = now() WHERE rank <> 90 AND NOT is_limited
""")


async def execute(database: Database, *statements: Any, **parameters: Any) -> None:
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement) if isinstance(statement, str) else statement, parameters)


async def nobody_sees_what_was(database: Database) -> None:
    """Waits until dead entries may be stepped over: the server is shared, and another test's transaction keeps them."""
    latest = text("SELECT pg_current_xact_id()::text::bigint")
    oldest = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    async with database.transaction() as connection:
        mine = (await connection.execute(latest)).scalar_one()
    async with asyncio.timeout(60):
        while True:
            async with database.transaction() as connection:
                if (await connection.execute(oldest)).scalar_one() > mine:
                    return
            await asyncio.sleep(0.05)  # the end of a transaction sends no signal


@dataclass(frozen=True)
class Crowd:
    """A database full of jobs, one worker that lives and one that is lost, and a place behind most ready jobs."""

    database: Database
    worker: UUID
    lost: UUID
    mark: Place


@pytest.fixture(params=["never analysed", "analysed when empty", "analysed", "analysed when all was ready"])
async def crowd(request: pytest.FixtureRequest, any_database: Database) -> AsyncIterator[Crowd]:
    """The states of what the planner knows. Nobody else tells it anything meanwhile."""
    database, lost = any_database, uuid7()
    analyse = f"ANALYZE {', '.join(f'perdure.{table}' for table in TABLES)}"
    await execute(database, *(f"ALTER TABLE perdure.{table} SET (autovacuum_enabled = false)" for table in TABLES))
    try:
        await execute(database, FORGET, tables=[f"perdure.{table}" for table in TABLES])
        worker = await a_worker(database)
        await publish(database, t={})
        skewed = {"SUCCEEDED": FINISHED, "QUEUED": READY, "SCHEDULED": WAITING, "RUNNING": RUNNING}
        counts = {"QUEUED": FINISHED} if request.param == "analysed when all was ready" else skewed
        fill = {"statuses": list(counts), "counts": list(counts.values()), "worker": lost}
        if request.param == "analysed when empty":
            await execute(database, analyse)
        if request.param != "never analysed":
            await execute(database, FILL, **fill)
            await execute(database, FILL_DELIVERIES)
            await execute(database, FILL_SLOTS)
            await execute(database, FILL_LIMITED, worker=lost, blocked=BLOCKED)
        if request.param.startswith("analysed") and request.param != "analysed when empty":
            await execute(database, analyse)
        if request.param == "analysed when all was ready":
            await execute(database, FINISH)
            await nobody_sees_what_was(database)
        yield Crowd(database, worker, lost, START._replace(rank=90))
    finally:
        await execute(database, *(f"ALTER TABLE perdure.{table} RESET (autovacuum_enabled)" for table in TABLES))


Act = Callable[[AsyncConnection, Crowd], Awaitable[object]]


async def claim(connection: AsyncConnection, crowd: Crowd, start: Place = START):
    return await claiming.claim(connection, "busy", ["t"], LIMIT, crowd.worker, start=start)


async def claim_limited(connection: AsyncConnection, crowd: Crowd) -> None:
    limits = LimitRepository(connection)
    held = [lane.name for lane in await limits.walk(["t"], (), LIMIT) if lane.is_held]
    assert [lane.key for lane in held] in ([], ["free"])
    await limits.claim(held, "busy", ["t"], LIMIT, crowd.worker, start=crowd.mark)


async def apply(connection: AsyncConnection, crowd: Crowd) -> None:
    now = crowd.database.clock.now()
    transitions = [job.conclude(Succeeded(1), now) for job in await claim(connection, crowd)]
    await JobRepository(connection).apply(transitions)
    await JobRepository(connection).written_before(transitions)


async def remove(connection: AsyncConnection, crowd: Crowd) -> None:
    now = crowd.database.clock.now() + timedelta(days=10)
    retention = RetentionRepository(connection, RetentionPolicy(jobs_days=1, audit_days=1).cutoffs(now))
    await retention.remove((await retention.next(BEFORE_ALL, LIMIT)).may_go)


async def match(connection: AsyncConnection, _crowd: Crowd) -> None:
    matches = JobMatches(connection, JobFilter(queue="q1", status=[JobStatus.SUCCEEDED]))
    stretch = await matches.next(await matches.start(), FINISHED, LIMIT)
    await matches.lock([one.job_id for one in stretch.matches])


async def explanation(connection: AsyncConnection, crowd: Crowd) -> None:
    job = a_job(crowd.database, queue="busy", job_type="t")
    await ExplanationQueries(connection).around(job)
    await ExplanationQueries(connection)._attempt_seconds(job)


async def limited(connection: AsyncConnection, crowd: Crowd) -> None:
    job = a_job(crowd.database, queue="busy", job_type="t", concurrency_key="k", is_limited=True)
    await ExplanationQueries(connection).around(job)


async def log(connection: AsyncConnection, crowd: Crowd) -> None:
    repository, job_id = JobLogRepository(connection), uuid7()
    line = LogLine(job_id, 1, 1, 1, crowd.database.clock.now(), LogLevel.INFO, "said")
    await repository.add_held([line], [(job_id, 1)])
    await repository.used([(job_id, 1)])
    await repository.of_job(job_id, 0, LIMIT)


async def follow(connection: AsyncConnection, crowd: Crowd) -> None:
    await apply(connection, crowd)
    queries = StreamQueries(connection)
    tail = await queries.tail()
    await queries.events(EventTail(0, [Gap(1, tail.position)]), LIMIT)
    await queries.running(LIMIT)
    await queries.deliveries([crowd.lost], [crowd.lost], LIMIT - 1)  # which brings one of its own besides


ACTS: dict[str, tuple[Act, set[str]]] = {
    "claim": (claim, {"jobs_ready", "jobs_pkey"}),
    "claim from the mark": (lambda connection, crowd: claim(connection, crowd, crowd.mark), {"jobs_ready"}),
    "claim under limits": (claim_limited, {"jobs_ready", "jobs_ready_limited", "jobs_running_limited", "jobs_pkey"}),
    "limit_waiting": (
        lambda connection, _: LimitRepository(connection).limit_waiting(LIMIT),
        {"jobs_ready", "jobs_due", "jobs_pkey"},
    ),
    "claim from all queues": (
        lambda connection, crowd: JobClaims(InTransaction(connection)).claim([], ["t"], LIMIT, crowd.worker),
        {"jobs_ready", "jobs_pkey"},
    ),
    "ready_queues": (lambda connection, _: LimitRepository(connection).ready_queues(), {"jobs_ready"}),
    "unique_holders": (lambda connection, _: JobRepository(connection).unique_holders(["k"]), {"jobs_unique_live"}),
    "apply": (apply, {"jobs_pkey", "job_events_pkey"}),
    "follow": (follow, {"job_events_in_order", "jobs_running", "jobs_pkey", "deliveries_once"}),
    "save_progress": (
        lambda connection, _: JobRepository(connection).save_progress([(uuid7(), 1, "{}")]),
        {"jobs_pkey"},
    ),
    "promote_due": (lambda connection, _: JobRepository(connection).promote_due(LIMIT), {"jobs_due", "jobs_pkey"}),
    "seconds_until_next_due": (lambda connection, _: JobRepository(connection).seconds_until_next_due(), {"jobs_due"}),
    "lock_expired": (lambda connection, _: ExpiringJobs(connection).lock_expired(LIMIT), {"jobs_expiring"}),
    "seconds until next expiry": (
        lambda connection, _: ExpiringJobs(connection).seconds_until_next(),
        {"jobs_expiring"},
    ),
    "schedules lock_due": (lambda connection, _: ScheduleRepository(connection).lock_due(LIMIT), {"schedules_due"}),
    "schedules busy_among": (
        lambda connection, _: ScheduleRepository(connection).busy_among(["nightly"]),
        {"schedule_slots_jobs", "jobs_pkey"},
    ),
    "lock_abandoned": (lambda connection, _: JobRepository(connection).lock_abandoned(LIMIT), {"jobs_running"}),
    "held": (lambda connection, crowd: JobRepository(connection).held(crowd.lost), {"jobs_running"}),
    "attend": (lambda connection, crowd: WorkerRepository(connection).attend(crowd.worker), {"jobs_running"}),
    "retire_dead": (lambda connection, _: WorkerRepository(connection).retire_dead(), {"jobs_running"}),
    "match": (match, {"jobs_pkey"}),
    "remove": (remove, {"jobs_pkey", "deliveries_once"}),
    "log": (log, {"jobs_pkey", "job_log_lines_pkey"}),
    "claim deliveries": (
        lambda connection, _: DeliveryClaims(connection).claim([(SERVED, "")], 10.0),
        {"deliveries_by_destination", "deliveries_sending", "deliveries_pkey", "circuits_pkey"},
    ),
    "claim deliveries, of which few are due": (
        lambda connection, _: DeliveryClaims(connection).claim([(SERVED, "waits")], 10.0),
        {"deliveries_by_destination", "deliveries_pkey", "circuits_pkey"},
    ),
    "look for deliveries": (
        lambda connection, _: DeliveryClaims(connection).look([SERVED]),
        {"deliveries_by_destination", "deliveries_sending", "circuits_pkey"},
    ),
}

READ_WHAT_THEY_PASS_OVER = {"limit_waiting", "match"}
"""The one is asked a few times an hour, the other for a stretch of jobs at a time."""

ASKED: dict[str, tuple[Act, set[str]]] = {
    "explain": (explanation, {"jobs_ready", "jobs_running", "jobs_pkey"}),
    "explain a limit": (limited, {"jobs_ready_limited", "jobs_running_limited"}),
    "workers": (lambda connection, _: WorkerQueries(connection).all(), {"jobs_running"}),
}
"""What people ask; it reads all workers, for there are few."""


@dataclass(frozen=True)
class Plan:
    """What became of one statement, once executed."""

    statement: str
    root: dict[str, Any]

    def nodes(self) -> Iterator[dict[str, Any]]:
        found = [self.root]
        while found:
            yield (node := found.pop())
            found += node.get("Plans", ())

    @property
    def indexes(self) -> set[str]:
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def buffers(self) -> int:
        return self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"]

    @property
    def flaws(self) -> list[str]:
        return [
            f"{node['Node Type']} of {node.get('Relation Name')} {node['Actual Rows']}: {self.statement}"
            for node in self.nodes()
            if (node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES)
            or node["Node Type"].startswith("Bitmap")
            or (node["Node Type"] == "Sort" and node["Actual Rows"] > LIMIT)
            or (node["Node Type"] == "Function Scan" and node["Actual Loops"] > 1 and node["Actual Rows"] > 1)
        ]

    @property
    def passed_over(self) -> list[str]:
        """Rows that were read though nobody wants them, such as what is not due yet."""
        return [
            f"{node['Rows Removed by Filter']} by {node.get('Index Name')}: {self.statement}"
            for node in self.nodes()
            if node.get("Rows Removed by Filter", 0) > MAX_OVERDUE
        ]


@contextmanager
def sent(database: Database) -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """What is sent to the database while the block lasts."""
    statements: list[tuple[str, tuple[Any, ...]]] = []

    def note(_connection, _cursor, statement, parameters, *_rest) -> None:
        statements.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def plans(connection: AsyncConnection, crowd: Crowd, act: Act, mode: str) -> list[Plan]:
    """The plans of the statements that ``act`` sends, each executed as if it were the first, and rolled back."""
    with sent(crowd.database) as statements:
        savepoint = await connection.begin_nested()
        await act(connection, crowd)
        await savepoint.rollback()
    reading = [one for one in statements if one[0].split()[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}]
    return [await explain(connection, statement, parameters, mode) for statement, parameters in reading]


async def explain(connection: AsyncConnection, statement: str, parameters: tuple[Any, ...], mode: str) -> Plan:
    values = f"({', '.join(map(literal, parameters))})" if parameters else ""
    savepoint = await connection.begin_nested()
    await connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = force_{mode}_plan")
    await connection.exec_driver_sql(f"PREPARE explained AS {statement}")
    explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained{values}")
    [answer] = explained.scalar_one()
    await savepoint.rollback()
    await connection.exec_driver_sql("DEALLOCATE explained")
    return Plan(" ".join(statement.split()), answer["Plan"])


def literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        items = ("NULL" if one is None else json.dumps(str(one)) for one in value)
        return literal(f"{{{','.join(items)}}}")
    return "NULL" if value is None else f"""'{str(value).replace("'", "''")}'"""


async def test_every_statement_finds_what_it_needs_by_its_index(crowd):
    async with crowd.database.snapshot() as connection:
        for mode, (name, (act, indexes)) in product(MODES, ACTS.items()):
            found = await plans(connection, crowd, act, mode)
            assert [flaw for plan in found for flaw in plan.flaws] == [], name
            assert [one for plan in found for one in plan.passed_over] == [] or name in READ_WHAT_THEY_PASS_OVER, name
            assert indexes <= set().union(*(plan.indexes for plan in found)), name
            if name == "claim from the mark":
                [plan] = found
                assert_begins_at_the_mark(plan)
            if name == "claim under limits":
                assert_steps_over_the_blocked(found)


async def test_what_people_ask_reads_no_more_jobs_than_it_must(crowd):
    async with crowd.database.snapshot() as connection:
        for mode, (name, (act, indexes)) in product(MODES, ASKED.items()):
            found = await plans(connection, crowd, act, mode)
            flaws = [flaw for plan in found for flaw in plan.flaws if not flaw.startswith("Seq Scan of workers")]
            assert flaws == [], name
            assert indexes <= set().union(*(plan.indexes for plan in found)), name
            assert max(plan.buffers for plan in found) < BUFFERS_OF_AN_ANSWER, name


def assert_begins_at_the_mark(plan: Plan) -> None:
    """A claim reads what it takes and little more, even where dead entries of many jobs lie before the mark."""
    [look] = [node for node in plan.nodes() if node.get("Index Name") == "jobs_ready"]
    assert "ROW(rank, run_at, job_id) >= ROW(" in look["Index Cond"]
    assert plan.buffers <= BUFFERS_OF_A_LOOK + BUFFERS_OF_A_CLAIM * plan.root["Actual Rows"]


def assert_steps_over_the_blocked(found: list[Plan]) -> None:
    """However many jobs of a key wait for its slot, they are not read."""
    read = sum(plan.root["Shared Hit Blocks"] + plan.root["Shared Read Blocks"] for plan in found)
    assert read <= 3 * BUFFERS_OF_A_LOOK + BUFFERS_OF_A_CLAIM * found[-1].root["Actual Rows"]


async def test_these_tests_notice_what_is_missing(any_database):
    worker = await a_worker(any_database)
    crowd = Crowd(any_database, worker, worker, START)
    async with any_database.snapshot() as connection:
        with sent(any_database) as statements:
            await claim(connection, crowd)
        statement, parameters = next(one for one in statements if one[0].lstrip().startswith("UPDATE"))
        assert "jobs_ready" in (await explain(connection, statement, parameters, "generic")).indexes
        unknown = statement.replace("ready.status = 'QUEUED'", f"ready.status = ${len(parameters) + 1}")
        assert (await explain(connection, unknown, (*parameters, "QUEUED"), "generic")).flaws
        await connection.exec_driver_sql("DROP INDEX perdure.jobs_ready")
        assert (await explain(connection, statement, parameters, "generic")).flaws
        await connection.rollback()
