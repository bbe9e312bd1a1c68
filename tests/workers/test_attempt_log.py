"""What attempts log is kept in order, whoever they are, up to a bound, and written by nobody who lost the job."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.test_job import a_job
from tests.repositories.test_job_repository import a_job as a_stored_job
from tests.repositories.test_job_repository import a_worker, add, claim

from perdure import JobContext, Snooze, processor
from perdure.models.job_log import MAX_CHARACTERS, ROOM_OF_A_RUN, LogLevel, Room, shortened
from perdure.models.lifecycle import JobStatus
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.workers import progress
from perdure.workers.attempt_log import AttemptLog
from perdure.workers.progress import ProgressWriter

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FIRST = ROOM_OF_A_RUN.half
QUICKLY = {"base_seconds": 0.01, "max_seconds": 0.02}


async def lines_of(database, job, after=0):
    async with database.snapshot() as connection:
        return await JobLogRepository(connection).of_job(job.job_id, after, 10_000)


async def messages_of(database, job):
    return [line.message for line in await lines_of(database, job)]


def a_log(fence=1):
    return AttemptLog(replace(a_job(), fence=fence), lambda: NOW, lambda _: None)


@given(st.lists(st.text(max_size=20) | st.integers(0, 400_000).map("é".__mul__), max_size=30), st.integers(0, 5_000))
def test_what_is_kept_is_bounded_and_what_is_not_is_counted(said, used):
    log = a_log(fence=2)
    for message in said:
        log.say(message, LogLevel.INFO)
    log.grant(Room(used, used * 100))
    log.close()
    log.say("after its end", LogLevel.INFO)
    room = (ROOM_OF_A_RUN - Room(used, used * 100)).half
    kept = [line for line in log.unsaved if line.level is LogLevel.INFO]
    assert [line.message for line in kept] == [shortened(message) for message in said[: len(kept)]]
    assert len(kept) <= room.lines
    assert sum(len(line.message.encode()) for line in kept) <= room.size_bytes
    assert all(len(line.message) <= MAX_CHARACTERS for line in kept)
    closing = log.unsaved[len(kept) :]
    assert [line.message.split()[0] for line in closing] == (
        [str(len(said) - len(kept))] if len(kept) < len(said) else []
    )
    assert [line.line for line in log.unsaved] == sorted({line.line for line in log.unsaved})


def test_a_long_message_says_how_long_it_was():
    assert shortened("x" * 5_000).endswith("x… (5,000 characters)")
    assert shortened(shortened("\ud800" * 5_000)) == shortened("\ud800" * 5_000)


@processor("test.plain")
def plain(payload: dict, ctx: JobContext) -> None:
    ctx.log("begins", level="warning")
    threads = [threading.Thread(target=ctx.log, args=(f"{number}\x00\ud800",)) for number in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    ctx.log("ends at once", level="error")


@processor("test.retried")
async def retried(payload: dict, ctx: JobContext) -> None:
    ctx.log(f"attempt {ctx.attempt}")
    if ctx.attempt == 1:
        raise RuntimeError


async def test_lines_are_kept_in_order_whatever_comes_of_the_attempt(worker, platform):
    async with worker(plain, retried) as bench:
        at_once = await bench.run("test.plain", {})
        twice = await bench.run("test.retried", {}, retry=QUICKLY)
    lines = await lines_of(platform.database, at_once)
    assert [line.message for line in lines] == ["begins", "0�?", "1�?", "2�?", "ends at once"]
    assert [lines[0].level, lines[1].level, lines[-1].level] == ["warning", "info", "error"]
    assert all(at_once.started_at <= line.at for line in lines)
    later = await lines_of(platform.database, twice)
    assert [(line.message, line.run, line.attempt) for line in later] == [("attempt 1", 1, 1), ("attempt 2", 1, 2)]


async def test_an_unknown_level_is_the_processors_mistake(worker):
    @processor("test.mistaken")
    async def mistaken(payload: dict, ctx: JobContext) -> None:
        ctx.log("x", level="fatal")

    async with worker(mistaken) as bench:
        job = await bench.run("test.mistaken", {}, max_retries=0)
    assert (job.status, job.error.type) == (JobStatus.FAILED, "ValueError")


@pytest.fixture
async def writer(platform, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    return ProgressWriter(platform.database, platform.signals)


async def claimed(database):
    await add(database, a_stored_job(database))
    [job] = await claim(database, await a_worker(database))
    return job


async def say(writer, log, *messages):
    for message in messages:
        log.say(message, LogLevel.INFO)
    await asyncio.sleep(0)  # the writer has heard of it
    await writer.tick()


async def test_lines_are_saved_while_the_attempt_runs_and_only_by_its_holder(writer, platform):
    database = platform.database
    job = await claimed(database)
    log, stale = writer.log_of(job), writer.log_of(replace(job, fence=job.fence - 1))
    await say(writer, stale, "from the past")
    await say(writer, log, "one")
    await say(writer, log, "two", "three")
    assert log.unsaved == []
    assert await messages_of(database, job) == ["one", "two", "three"]


async def test_a_later_attempt_has_half_of_what_is_left(writer, platform):
    job = await claimed(platform.database)
    await say(writer, writer.log_of(job), *map(str, range(FIRST.lines + 500)))
    async with platform.database.transaction() as connection:
        used = await JobLogRepository(connection).used([(job.job_id, 1)])
        assert used[job.job_id].lines == FIRST.lines
    again = AttemptLog(replace(job, fence=job.fence + 1), platform.database.clock.now, lambda _: None)
    for number in range(FIRST.lines):
        again.say(str(number), LogLevel.INFO)
    again.grant(used[job.job_id])
    again.close()
    assert len(again.unsaved) == FIRST.lines // 2 + 1
    assert again.unsaved[-1].message.startswith("500 more lines are not kept")


async def test_a_run_that_is_snoozed_again_and_again_keeps_a_bounded_log(worker, platform):
    asked = 0

    @processor("test.polling")
    async def polling(payload: dict, ctx: JobContext) -> None:
        nonlocal asked
        asked += 1
        for _ in range(FIRST.lines):
            ctx.log("still waiting")
        if asked < 7:
            raise Snooze(0.0)

    async with worker(polling) as bench:
        job = await bench.run("test.polling", {})
    kept = [line for line in await lines_of(platform.database, job) if line.level is LogLevel.INFO]
    assert ROOM_OF_A_RUN.lines * 0.9 < len(kept) <= ROOM_OF_A_RUN.lines
