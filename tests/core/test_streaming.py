"""One feed for all readers: what it costs, what a reader gets, and what he is told when he cannot get it."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from tests.repositories.test_job_repository import a_job, add
from tests.repositories.test_plans import sent

from perdure.core import observing, streaming
from perdure.core.streaming import Feed
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.happening import HappeningFilter, HappeningKind
from perdure.repositories.stream_queries import StreamQueries

EVERYTHING = HappeningFilter()
WRITE = text("""
    INSERT INTO perdure.job_events (job_id, run, attempt, event, at, data)
    VALUES (:job_id, :run, 0, 'RESTARTED', now(), '{}')
""")


class Stage:
    """A job to which things happen, and the feed that tells of them."""

    def __init__(self, database):
        self.database = database
        self.wakeup = Wakeup(database.url)
        self.feed = Feed(database, self.wakeup)
        self.job = a_job(database, tags=("blue",))

    async def happen(self, *runs):
        async with self.database.transaction() as connection:
            for run in runs:
                await connection.execute(WRITE, {"job_id": self.job.job_id, "run": run})
        self.wakeup.ring(Topic.JOBS_READY)


@pytest.fixture
async def stage(database, monkeypatch):
    monkeypatch.setattr(streaming, "DEBOUNCE_SECONDS", 0.01)
    stage = Stage(database)
    await add(database, stage.job)
    await stage.happen(0)
    running = asyncio.create_task(stage.feed.run())
    await asyncio.sleep(0)
    yield stage
    stage.feed.close()
    await running


async def read(reader, until_run=None):
    """The runs told, until the last one wanted, and the id that came last."""
    runs, last_id = [], None
    async with asyncio.timeout(10):
        while True:
            for line in (await reader.next(10)).decode().splitlines():
                name, _, value = line.partition(": ")
                if name == "id":
                    last_id = value
                elif name == "event":
                    runs.append(value)
                elif name == "data" and value != "{}":
                    runs.append(json.loads(value)["run"])
            if until_run is None or until_run in runs:
                return runs, last_id


async def test_each_reader_gets_what_he_asked_for(stage):
    blue, red = HappeningFilter(tag="blue"), HappeningFilter(tag="red")
    starts = HappeningFilter(event=frozenset({HappeningKind.STARTED}))
    async with (
        stage.feed.reading(EVERYTHING, None) as all_,
        stage.feed.reading(blue, None) as tagged,
        stage.feed.reading(red, None) as other,
        stage.feed.reading(starts, None) as started,
    ):
        await read(other), await read(started)
        await stage.happen(1, 2)
        assert (await read(all_, 2))[0] == [1, 2]
        assert (await read(tagged, 2))[0] == [1, 2]
        assert await other.next(0) == b""
        assert await started.next(0) == b""


async def test_two_hundred_readers_cost_one_feed_and_none_costs_nothing(stage):
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(stage.feed.reading(EVERYTHING, None)) for _ in range(200)]
        for reader in readers:
            await read(reader)
        with sent(stage.database) as said:
            await stage.happen(1)
            for reader in readers:
                assert (await read(reader, 1))[0] == [1]
        assert len(said) <= 20, "a look is three or four statements"
    with sent(stage.database) as said:
        stage.wakeup.ring(*Topic)
        await asyncio.sleep(0.1)
        asking = [one for one in said if "perdure" in one[0]]
        stage.wakeup.ring(*Topic)
        await asyncio.sleep(0.1)
        assert [one for one in said if "perdure" in one[0]] == asking, "the look under way was the last"


async def test_a_broken_connection_goes_on_where_it_broke(stage):
    async with stage.feed.reading(EVERYTHING, None) as reader:
        await read(reader)
        await stage.happen(1)
        _, last_id = await read(reader, 1)
    await stage.happen(2, 3)
    async with stage.feed.reading(EVERYTHING, last_id) as reader:
        assert (await read(reader, 3))[0] == [2, 3]
        await stage.happen(4)
        runs, last_id = await read(reader, 4)
        assert runs == [4]
    async with stage.feed.reading(HappeningFilter(tag="red"), last_id) as reader:
        assert (await read(reader))[0] == []


async def test_what_commits_late_reaches_one_who_comes_back_once(stage):
    """Its id is smaller than what the reader was told of; it appears while it connects again, or after."""
    async with stage.feed.reading(EVERYTHING, None) as first, stage.database.engine.connect() as late:
        await read(first)
        await late.execute(WRITE, {"job_id": stage.job.job_id, "run": 1})
        await stage.happen(2)
        _, last_id = await read(first, 2)
        async with stage.feed.reading(EVERYTHING, last_id) as second:
            assert (await read(second))[0] == [2], "again, since one before it was still to come"
            await late.commit()
            stage.wakeup.ring(Topic.JOBS_READY)
            assert (await read(second, 1))[0] == [1]
            async with stage.feed.reading(EVERYTHING, last_id) as third:
                assert (await read(third))[0] == [1, 2]


@pytest.mark.parametrize("position", ["", "x", "5", "-1-5", "1-2-3", "9" * 30 + "-1", "1-1"])
async def test_who_comes_from_nowhere_or_too_late_is_told_to_look_anew(stage, position):
    async with stage.feed.reading(EVERYTHING, position) as reader:
        assert (await read(reader))[0] == ["reset"]
        await stage.happen(1)
        assert (await read(reader, 1))[0] == [1]


async def test_who_missed_too_much_is_told_to_look_anew(stage, monkeypatch):
    async with stage.feed.reading(EVERYTHING, None) as reader:
        _, last_id = await read(reader)
    await stage.happen(*range(5))
    monkeypatch.setattr(streaming, "MAX_REPLAY", 4)
    async with stage.feed.reading(EVERYTHING, last_id) as reader:
        assert (await read(reader))[0] == ["reset"]
    monkeypatch.setattr(streaming, "MAX_REPLAY", 5)
    async with stage.feed.reading(EVERYTHING, last_id) as reader:
        assert (await read(reader, 4))[0] == [0, 1, 2, 3, 4]


async def test_a_slow_reader_holds_little_and_is_told_that_he_missed_something(stage, monkeypatch):
    monkeypatch.setattr(streaming, "MAX_BUFFERED_BYTES", 2_000)
    async with stage.feed.reading(EVERYTHING, None) as slow, stage.feed.reading(EVERYTHING, None) as quick:
        await read(slow), await read(quick)
        for run in range(1, 20):
            await stage.happen(run)
            await read(quick, run)
        runs, last_id = await read(slow, 19)
        assert runs[0] == "reset"
        assert runs[1:] == list(range(runs[1], 20))
    async with stage.feed.reading(EVERYTHING, last_id) as reader:
        assert (await read(reader))[0] == []


async def test_a_flood_is_not_told_but_said(stage, monkeypatch):
    monkeypatch.setattr(observing, "MAX_EVENTS", 2)
    monkeypatch.setattr(streaming, "MAX_CATCH_UPS", 3)
    async with stage.feed.reading(EVERYTHING, None) as reader:
        await read(reader)
        await stage.happen(*range(100))
        assert "reset" in (await read(reader, "reset"))[0]
        await stage.happen(100)
        assert (await read(reader, 100))[0] == [100]


async def test_the_end_of_the_server_is_the_end_of_the_stream(stage):
    async with stage.feed.reading(EVERYTHING, None) as reader:
        await read(reader)
        stage.feed.close()
        assert await reader.next(10) is None
    with pytest.raises(Unavailable):
        async with stage.feed.reading(EVERYTHING, None):
            pass


async def test_a_look_that_fails_half_way_costs_no_event(stage, monkeypatch):
    monkeypatch.setattr(streaming, "POLL_SECONDS", 0.02)
    failing, running = asyncio.Event(), StreamQueries.running

    async def fail_twice(self, limit):
        if not failing.is_set():
            return await running(self, limit)
        failures.append(1)
        if len(failures) == 2:
            failing.clear()
        raise Unavailable("The database cannot be reached just now.")

    failures = []
    monkeypatch.setattr(StreamQueries, "running", fail_twice)
    async with stage.feed.reading(EVERYTHING, None) as reader:
        await read(reader)
        failing.set()
        await stage.happen(1)
        assert (await read(reader, 1))[0] == [1]
    assert len(failures) == 2
