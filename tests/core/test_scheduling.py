"""Turns on a real database whose clock is the test's: every slot once and in order, whoever comes and when."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.databases import empty_url
from tests.faulty_database import Fault
from tests.repositories.engine_bench import START, Engine, opened_engine

from perdure.core.cron import Cron
from perdure.core.job_factory import JobFactory
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.schedule_commands import ScheduleCommands
from perdure.core.scheduling import Scheduling
from perdure.db.wakeup import Wakeup
from perdure.errors import Unavailable
from perdure.models.schedule import MAX_SLOTS
from perdure.processors import demo
from perdure.repositories.worker_repository import WorkerRepository
from perdure.schemas.schedule import ScheduleWrite
from perdure.signals import JobsSubmitted, ScheduleFailed, Signals, SlotsMissed
from perdure.workers.lease import published

NAME = "nightly"
SLOTS = "SELECT slot_at, outcome, job_id FROM perdure.schedule_slots WHERE name = 'nightly' ORDER BY slot_at"
JOBS = "SELECT job_id, run_at, status FROM perdure.jobs ORDER BY run_at"


@dataclass
class Turns:
    """Schedules and those who give them their turn, over the engine's database and clock."""

    engine: Engine
    commands: ScheduleCommands
    scheduling: Scheduling
    signals: Signals

    async def reset(self) -> None:
        await self.engine.reset()
        await self.engine.direct.execute("DELETE FROM perdure.schedules; DELETE FROM perdure.schedule_slots")

    async def set(self, expression: str = "* * * * *", **declared) -> None:
        job = declared.pop("job", {"job_type": "demo.sleep", "payload": {"seconds": 0}})
        sent = ScheduleWrite.model_validate({"expression": expression, "job": job} | declared)
        await self.commands.set(NAME, sent, dry_run=False)

    async def go(self, **ahead: float) -> None:
        """Sets the clock on (or back), and gives whoever is due its turn."""
        await self.engine.advance(timedelta(**ahead).total_seconds())
        await self.scheduling.take_turns()

    async def slots(self) -> list[tuple[datetime, str, UUID | None]]:
        return [tuple(row) for row in await self.engine.direct.fetch(SLOTS)]

    async def outcomes(self) -> list[str]:
        return [outcome for _, outcome, _ in await self.slots()]

    async def jobs(self) -> list[tuple[UUID, datetime, str]]:
        return [tuple(row) for row in await self.engine.direct.fetch(JOBS)]


async def opened(embedded_url: str) -> tuple[object, Turns]:
    opening = opened_engine(embedded_url)
    engine = await opening.__aenter__()
    signals, wakeup, factory = Signals(), Wakeup(engine.database.url), JobFactory(ProviderRegistry([]))
    async with engine.database.transaction() as connection:
        await WorkerRepository(connection).publish([published(demo.sleep, START)])
    commands = ScheduleCommands(engine.database, factory, wakeup)
    turns = Turns(engine, commands, Scheduling(engine.database, factory, wakeup, signals), signals)
    await turns.reset()
    return opening, turns


@pytest.fixture
async def turns(database, embedded_url) -> AsyncIterator[Turns]:
    opening, turns = await opened(embedded_url)
    yield turns
    await opening.__aexit__(None, None, None)


def heard(turns: Turns, *kinds) -> list:
    found: list = []
    for kind in kinds:
        turns.signals.subscribe(kind, found.append)
    return found


async def test_a_slot_becomes_a_job_that_is_due_since_then(turns):
    said = heard(turns, JobsSubmitted, SlotsMissed, ScheduleFailed)
    await turns.set("30 0 * * *", job={"job_type": "demo.sleep", "tags": ["report"], "context": {"user_id": "ada"}})
    await turns.go(minutes=29, seconds=59)
    assert await turns.jobs() == []
    await turns.go(seconds=2)
    await turns.go(seconds=2)
    [(job_id, run_at, status)] = await turns.jobs()
    at = START + timedelta(minutes=30)
    assert (run_at, status) == (at, "QUEUED")
    assert await turns.slots() == [(at, "submitted", job_id)]
    assert said == [JobsSubmitted((job_id,), ("demo.sleep",), ("default",))]
    outlook = await turns.commands.get(NAME)
    assert list(outlook.next_runs)[:2] == [at + timedelta(days=1), at + timedelta(days=2)]
    assert outlook.schedule.next_slot_at == at + timedelta(days=1)


@pytest.mark.parametrize(
    ("catch_up", "outcomes"),
    [
        ("skip", ["missed", "missed", "submitted"]),
        ("latest", ["missed", "missed", "submitted"]),
        ("all", ["submitted"] * 3),
    ],
)
async def test_what_was_missed_while_nobody_was_there(turns, catch_up, outcomes):
    missed = heard(turns, SlotsMissed)
    await turns.set("0 * * * *", catch_up=catch_up)
    await turns.go(hours=3, seconds=30)
    assert await turns.outcomes() == outcomes
    assert [one.missed for one in missed] == ([] if catch_up == "all" else [2])
    await turns.go(hours=1, minutes=5)
    assert (await turns.outcomes())[3:] == (["missed"] if catch_up == "skip" else ["submitted"])


@pytest.mark.parametrize(("catch_up", "jobs"), [("skip", 0), ("latest", 1), ("all", 3)])
async def test_a_pause_is_caught_up_with_when_it_ends_as_the_schedule_says(turns, catch_up, jobs):
    await turns.set("0 * * * *", catch_up=catch_up)
    await turns.set("0 * * * *", catch_up=catch_up, paused=True)
    await turns.go(hours=3, minutes=30)
    assert await turns.slots() == []
    await turns.set("0 * * * *", catch_up=catch_up)
    await turns.go(seconds=0)
    assert len(await turns.slots()) == 3
    assert len(await turns.jobs()) == jobs


async def test_a_long_absence_is_caught_up_with_within_bounds(turns):
    await turns.set("* * * * *", catch_up="all")
    await turns.go(days=3)
    slots = await turns.slots()
    assert len(slots) == MAX_SLOTS
    assert slots[-1][0] == START + timedelta(days=3)
    assert len(await turns.jobs()) == MAX_SLOTS


async def test_no_two_jobs_of_a_schedule_overlap_where_it_says_so(turns):
    await turns.set(overlap="skip", catch_up="all")
    await turns.go(minutes=2)
    await turns.go(minutes=1)
    assert await turns.outcomes() == ["submitted", "overlapped", "overlapped"]
    await turns.engine.direct.execute("UPDATE perdure.jobs SET status = 'CANCELLED', finished_at = now()")
    await turns.go(minutes=1)
    assert (await turns.outcomes())[3:] == ["submitted"]


async def test_a_live_job_with_the_unique_key_stands_in_the_way(turns):
    await turns.set(job={"job_type": "demo.sleep", "unique_key": "one at a time"}, catch_up="all")
    await turns.go(minutes=2)
    assert await turns.outcomes() == ["submitted", "overlapped"]
    [(job_id, *_)] = await turns.jobs()
    assert (await turns.slots())[0][2] == job_id


async def test_a_job_that_can_no_longer_be_made_is_said_and_stops_nobody(turns):
    said = heard(turns, ScheduleFailed)
    await turns.set()
    await turns.engine.direct.execute("DELETE FROM perdure.job_types")
    await turns.go(minutes=1)
    assert await turns.outcomes() == ["refused"]
    schedule = (await turns.commands.get(NAME)).schedule
    assert "No worker has published this job_type" in schedule.last_error
    assert [one.error for one in said] == [schedule.last_error]
    async with turns.engine.database.transaction() as connection:
        await WorkerRepository(connection).publish([published(demo.sleep, START)])
    await turns.go(minutes=1)
    assert await turns.outcomes() == ["refused", "submitted"]
    assert (await turns.commands.get(NAME)).schedule.last_error is None


async def test_a_zone_that_this_machine_does_not_know_waits_for_one_that_does(turns):
    await turns.set()
    await turns.engine.direct.execute("UPDATE perdure.schedules SET time_zone = 'Mars/Olympus'")
    await turns.go(minutes=1)
    assert (await turns.slots(), await turns.jobs()) == ([], [])
    await turns.engine.direct.execute("UPDATE perdure.schedules SET time_zone = 'UTC'")
    await turns.go(minutes=1)
    assert await turns.outcomes() == ["missed", "submitted"]


async def test_a_deleted_schedule_that_is_made_again_gives_no_slot_twice(turns):
    await turns.set(catch_up="all")
    await turns.go(minutes=2)
    await turns.commands.delete(NAME)
    await turns.go(minutes=-2)
    await turns.set(catch_up="all")
    await turns.go(minutes=3)
    assert await turns.outcomes() == ["submitted"] * 3
    assert len(await turns.jobs()) == 3


steps = st.lists(
    st.tuples(
        st.sampled_from([-3700.0, -90.0, 0.0, 20.0, 61.0, 400.0, 4000.0]),
        st.integers(1, 3),
        st.sampled_from([Fault.NONE] * 4 + [Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT]),
    ),
    max_size=12,
)


def test_every_slot_once_and_in_order_with_several_schedulers_and_any_clock(database, embedded_url):
    with asyncio.Runner() as runner:
        opening, turns = runner.run(opened(embedded_url))

        @settings(max_examples=15, suppress_health_check=list(HealthCheck))
        @given(steps, st.sampled_from(["*/7 * * * *", "3,50 * * * *"]))
        def walk(steps, expression):
            runner.run(_walk(turns, steps, expression))

        try:
            walk()
        finally:
            runner.run(opening.__aexit__(None, None, None))
            runner.run(empty_url(embedded_url))


async def _walk(turns: Turns, steps, expression: str) -> None:
    await turns.reset()
    await turns.set(expression, catch_up="all")
    latest = START
    known: list = []
    for seconds, schedulers, fault in steps:
        await turns.engine.advance(seconds)
        latest = max(latest, turns.engine.clock.now())
        turns.engine.database.fault = fault
        ended = await asyncio.gather(
            *(turns.scheduling.take_turns() for _ in range(schedulers)), return_exceptions=True
        )
        turns.engine.database.fault = Fault.NONE
        assert all(one is None or isinstance(one, float | Unavailable) for one in ended)
        await turns.scheduling.take_turns()
        slots = await turns.slots()
        assert slots[: len(known)] == known, "what was dealt with stays, and what follows comes after it"
        known = slots
        expected = Cron(expression, "UTC").within(START, latest, MAX_SLOTS)
        assert [at for at, _, _ in slots] == expected, "every slot, once"
        jobs = {(job_id, run_at) for job_id, run_at, _ in await turns.jobs()}
        assert jobs == {(job_id, at) for at, _, job_id in slots}, "and each has its job"
