"""What claims under limits promise, on every PostgreSQL that is there: never above, and nobody in the way of others."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests import claiming
from tests.repositories.test_job_repository import a_job, a_worker, add, conclude, stored
from uuid_utils.compat import uuid7

from perdure.db.session import Database
from perdure.models.job import Job
from perdure.models.lane import LaneName
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import Succeeded
from perdure.models.place import END, START, Place
from perdure.repositories.limit_repository import LimitRepository
from perdure.repositories.worker_repository import WorkerRepository

A_TYPE = {
    "description": "",
    "payload_schema": "{}",
    "result_schema": "{}",
    "max_retries": 3,
    "timeout_seconds": 60.0,
    "retry_base_seconds": 1.0,
    "retry_max_seconds": 2.0,
    "max_concurrent": None,
    "max_concurrent_per_key": 1,
}


async def publish(database: Database, **limits: Mapping[str, int | None]) -> None:
    """Job types by name, with the limits given."""
    rows = [A_TYPE | {"job_type": name, "published_at": database.clock.now()} | one for name, one in limits.items()]
    async with database.transaction() as connection:
        await WorkerRepository(connection).publish(rows)


def limited(database: Database, key: str | None = None, **changes: Any) -> Job:
    return a_job(database, concurrency_key=key, is_limited=True, **changes)


@dataclass(frozen=True)
class Claimer:
    """Claims as a worker does, in one transaction: walks, then claims queue by queue."""

    connection: Any
    worker_id: UUID
    job_types: Sequence[str] = ("t",)

    async def claim(self, limit: int = 100, start: Place = START, queues: Sequence[str] = ()) -> list[Job]:
        limits, taken = LimitRepository(self.connection), []
        found = await limits.walk(self.job_types, queues, limit)
        lanes: dict[str, list[LaneName]] = {}
        for lane in found:
            if lane.is_held:
                lanes.setdefault(lane.name.queue, []).append(lane.name)
        for queue, held in lanes.items():
            free = limit - len(taken)
            taken += await limits.claim(held, queue, self.job_types, free, self.worker_id, start=start)
        return taken


@asynccontextmanager
async def claimer(database: Database, worker_id: UUID, *job_types: str):
    async with database.transaction() as connection:
        yield Claimer(connection, worker_id, job_types or ("t",))


async def claim(database: Database, worker_id: UUID, *job_types: str, **wanted: Any) -> list[Job]:
    async with claimer(database, worker_id, *job_types) as one:
        return await one.claim(**wanted)


async def test_one_job_of_a_key_runs_at_a_time_in_order(any_database):
    await publish(any_database, t={})
    worker = await a_worker(any_database)
    low, first, second, other = (
        limited(any_database, "a", priority=-1),
        limited(any_database, "a"),
        limited(any_database, "a"),
        limited(any_database, "b"),
    )
    await add(any_database, low, first, second, other)
    order = []
    for _ in range(3):
        claimed = await claim(any_database, worker)
        order.append([job.job_id for job in claimed])
        assert await claim(any_database, worker) == []
        for job in claimed:
            assert await conclude(any_database, job, Succeeded(None))
    assert order == [[first.job_id, other.job_id], [second.job_id], [low.job_id]]


async def test_both_limits_hold_and_the_least_of_a_shared_key(any_database):
    types = {"two": {"max_concurrent": 2, "max_concurrent_per_key": 3}, "t": {"max_concurrent_per_key": 3}, "one": {}}
    await publish(any_database, **types)
    worker = await a_worker(any_database)
    await add(any_database, *(limited(any_database, job_type="two") for _ in range(4)))
    await add(any_database, *(limited(any_database, "k", job_type="two") for _ in range(4)))
    assert len(await claim(any_database, worker, *types)) == 2, "of the type"

    await add(any_database, *(limited(any_database, "a") for _ in range(2)))
    lone = limited(any_database, "a", job_type="one")
    await add(any_database, lone, *(limited(any_database, "a") for _ in range(2)))
    running = await claim(any_database, worker, *types)
    assert [job.job_type for job in running] == ["t", "t"], "the third allows no other beside it"
    assert await claim(any_database, worker, *types) == [], "and is not overtaken"
    running += await claim(any_database, worker, "t")
    assert len(running) == 3, "but by a worker that could not run it"
    for job in running:
        await conclude(any_database, job, Succeeded(None))
    assert [job.job_id for job in await claim(any_database, worker, *types)] == [lone.job_id]
    assert await claim(any_database, worker, *types) == []


async def test_they_are_claimed_in_one_order_with_the_others(any_database):
    await publish(any_database, t={"max_concurrent_per_key": 2})
    worker = await a_worker(any_database)
    jobs = [
        limited(any_database, "a", priority=3),
        a_job(any_database, priority=2),
        limited(any_database, "a", priority=1),
        a_job(any_database),
        limited(any_database, "a", priority=9, queue="other"),
        limited(any_database, "b", priority=-1),
    ]
    await add(any_database, *jobs)
    claimed = await claim(any_database, worker, limit=3, queues=["default"])
    assert [job.job_id for job in claimed] == [job.job_id for job in jobs[:3]]
    assert await claim(any_database, worker, limit=2, start=END, queues=["default"]) == [
        await stored(any_database, jobs[5])
    ], "from a mark on, the others are not looked at"


async def test_what_somebody_claims_from_is_left_to_them_and_nobody_waits(any_database):
    await publish(any_database, t={"max_concurrent_per_key": 5})
    worker = await a_worker(any_database)
    await add(any_database, *(limited(any_database, key) for key in "aab"))
    async with claimer(any_database, worker) as one, any_database.transaction() as connection:
        assert [lane.is_held for lane in await LimitRepository(one.connection).walk(["t"], (), 1)] == [True, False]
        found = await LimitRepository(connection).walk(["t"], (), 10)
        assert [(lane.name.key, lane.has_room, lane.is_held) for lane in found] == [
            ("a", True, False),
            ("b", True, True),
        ]
    assert len(await claim(any_database, worker)) == 3


async def test_a_walk_goes_on_where_the_last_one_ended(any_database):
    await publish(any_database, t={}, u={})
    await add(any_database, *(limited(any_database, key, queue=queue) for key in "ab" for queue in "xy"))
    async with any_database.transaction() as connection:
        limits = LimitRepository(connection)
        names = [lane.name for lane in await limits.walk(["t"], (), 10)]
        assert names == [("x", "t", "a"), ("x", "t", "b"), ("y", "t", "a"), ("y", "t", "b")]
        rest = await limits.walk(["t"], ["y"], 10, after=names[0])
        assert [(lane.name, lane.has_room) for lane in rest] == list(zip(names[1:], [False, True, True], strict=True))
        assert [lane.has_room for lane in await limits.walk(["u"], (), 10)] == [False] * 4


async def test_a_paused_queue_gives_none(any_database):
    await publish(any_database, t={})
    worker = await a_worker(any_database)
    await add(any_database, limited(any_database, "a"), a_job(any_database), a_job(any_database, queue="other"))
    async with any_database.transaction() as connection:
        limits = LimitRepository(connection)
        [lane] = await limits.walk(["t"], (), 10)
        await connection.execute(text("INSERT INTO perdure.queues VALUES ('default', now(), 'ada', NULL)"))
        assert await limits.claim([lane.name], "default", ["t"], 10, worker) == []
        assert [lane.has_room for lane in await limits.walk(["t"], (), 10)] == [False]
        assert await claiming.claim(connection, "default", ["t"], 10, worker) == []
        assert await limits.ready_queues() == {"default", "other"}


async def test_waiting_jobs_follow_a_limit_that_comes_later(any_database):
    await publish(any_database, t={"max_concurrent": 1}, u={})
    later = any_database.clock.now().replace(year=2100)
    waiting, scheduled, other = (
        a_job(any_database),
        a_job(any_database, run_at=later),
        a_job(any_database, job_type="u"),
    )
    finished = replace(waiting, job_id=uuid7(), status=JobStatus.FAILED, finished_at=later)
    await add(any_database, waiting, scheduled, other, finished)
    async with any_database.transaction() as connection:
        limits = LimitRepository(connection)
        assert (await limits.limit_waiting(10), await limits.limit_waiting(10)) == (2, 0)
        await limits.limit([finished.job_id, other.job_id])
    found = [(await stored(any_database, job)).is_limited for job in (waiting, scheduled, finished, other)]
    assert found == [True, True, True, False]


@pytest.mark.parametrize("per_key", [1, 3])
async def test_never_above_a_limit_whoever_claims_at_once_and_every_job_has_its_turn(any_database, per_key):
    """Five that claim and conclude side by side. What counts as running here does so in the database, too."""
    allowed = {"t": 3, "u": 4}
    await publish(
        any_database,
        **{one: {"max_concurrent": most, "max_concurrent_per_key": per_key} for one, most in allowed.items()},
    )
    worker = await a_worker(any_database)
    keys = [None, "a", "b", "c"]
    jobs = [limited(any_database, keys[number // 2 % 4], job_type="tu"[number % 2]) for number in range(96)]
    await add(any_database, *jobs)
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    done = []

    async def work() -> None:
        mine: deque[Job] = deque()
        while len(done) < len(jobs):
            for job in await claim(any_database, worker, *allowed, limit=5):
                mine.append(job)
                running.update(_limits(job))
                most.update(
                    {limit: running[limit] - most[limit] for limit in _limits(job) if running[limit] > most[limit]}
                )
            for job in [mine.popleft() for _ in range(min(len(mine), 2))]:
                running.subtract(_limits(job))
                assert await conclude(any_database, job, Succeeded(None))
                done.append(job.job_id)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work() for _ in range(5)))
    assert sorted(done) == sorted(job.job_id for job in jobs)
    for job_type, limit in allowed.items():
        assert 1 < most[job_type] <= limit
    assert min(2, per_key) <= max(most[f"key {key}"] for key in "abc") <= per_key


def _limits(job: Job) -> list[str]:
    return [job.job_type] if job.concurrency_key is None else [job.job_type, f"key {job.concurrency_key}"]


async def test_jobs_that_name_files_do_not_keep_a_worker_that_sees_none_from_the_others(any_database):
    await publish(any_database, t={"max_concurrent_per_key": 1})
    first = limited(any_database, "a", names_files=True)
    await add(any_database, first, limited(any_database, "b"))
    async with any_database.transaction() as connection:
        limits = LimitRepository(connection)
        lanes = await limits.walk(["t"], (), 1, sees_files=False)
        assert [lane.name.key for lane in lanes if lane.is_held] == ["b"], "it has one slot, and nothing to do for a"
        assert [lane.name.key for lane in await limits.walk(["t"], (), 1) if lane.is_held] == ["a"]
