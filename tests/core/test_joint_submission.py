"""Submissions that arrive together share a statement, and nothing else: what is wrong with one harms no other."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from tests.routes.conftest import publish
from uuid_utils.compat import uuid7

from perdure.core import joint_submission
from perdure.core.joint_submission import MAX_TOGETHER
from perdure.errors import IdempotencyKeyReused, PerdureError, Unavailable, UniqueKeyTaken, ValidationFailed
from perdure.models.submission import FirstSubmission, IdempotencyKey
from perdure.processors import demo
from perdure.processors.base import processor
from perdure.repositories.idempotency_repository import IdempotencyRepository
from perdure.repositories.job_queries import JobQueries
from perdure.schemas.job import JobCreate


def a_job(payload=None, **declared):
    return JobCreate(job_type="demo.sleep", payload={"seconds": 0} if payload is None else payload, **declared)


@pytest.fixture
async def commands(platform):
    await publish(platform, demo.sleep, demo.fail)
    return platform.commands


@pytest.fixture
def statements(monkeypatch):
    """How many jobs each statement took; ``before`` is called before each."""
    add = joint_submission.add_at_once

    async def noted(driver, newcomers, kept_since):
        noted.sizes.append(len(newcomers))
        await noted.before()
        return await add(driver, newcomers, kept_since)

    async def nothing():
        pass

    noted.sizes, noted.before = [], nothing
    monkeypatch.setattr(joint_submission, "add_at_once", noted)
    return noted


async def stored(platform, jobs):
    async with platform.database.snapshot() as connection:
        return [await JobQueries(connection).get(job.job_id) for job in jobs]


async def test_those_that_arrive_together_share_statements_and_are_stored_as_told(platform, commands, statements):
    told = {"context": {"email": "ada@example.com"}, "notifications": {"email": {"on": ["FAILURE"]}}}
    sent = [a_job({"seconds": number}, tags=["a", "b"], priority=number % 3, **told) for number in range(500)]
    await commands.submit(sent[0])  # so that its type is known
    statements.sizes.clear()
    jobs = await asyncio.gather(*(commands.submit(one) for one in sent))
    assert await stored(platform, jobs) == jobs
    assert [job.payload["seconds"] for job in jobs] == list(range(500))
    assert max(statements.sizes) == MAX_TOGETHER
    assert len(statements.sizes) < 20
    async with platform.database.snapshot() as connection:
        tags = await connection.execute(text("SELECT tag, count(*) FROM perdure.job_tags GROUP BY tag ORDER BY tag"))
        assert [tuple(row) for row in tags] == [("a", 501), ("b", 501)]


async def test_one_that_arrives_just_as_the_last_is_told_is_not_forgotten(commands, monkeypatch):
    monkeypatch.setattr(joint_submission, "MAX_UNDER_WAY", 1)
    await commands.submit(a_job())  # so that its type is known
    together, told = commands._together, asyncio.Queue()
    tell = together._tell

    def tell_and_bring_another(some, stored):
        tell(some, stored)
        monkeypatch.setattr(together, "_tell", tell)
        asyncio.get_running_loop().call_soon(together.store_soon, a_job(), told.put_nowait)

    monkeypatch.setattr(together, "_tell", tell_and_bring_another)
    assert together.store_soon(a_job(), told.put_nowait)
    jobs = [await asyncio.wait_for(told.get(), 10) for _ in range(2)]
    assert {job.job_type for job in jobs} == {"demo.sleep"}


async def test_one_alone_takes_one_round_trip(commands, monkeypatch):
    await commands.submit(a_job())
    asked = []
    for name in ("fetch", "execute", "prepare"):
        real = getattr(asyncpg.Connection, name)

        async def noted(connection, query, *values, _real=real, **options):
            asked.append(query)
            return await _real(connection, query, *values, **options)

        monkeypatch.setattr(asyncpg.Connection, name, noted)
    await commands.submit(a_job())
    await commands.submit_once(a_job(tags=["a"]), IdempotencyKey("", "k"))
    assert ["INSERT INTO perdure.jobs" in query for query in asked] == [True, True]


async def test_what_is_wrong_with_one_is_told_to_it_alone(platform, commands):
    holder = await commands.submit(a_job(unique_key="taken"))
    await commands.submit_once(a_job(), IdempotencyKey("", "used"))

    async def outcome(work):
        try:
            return await work
        except PerdureError as error:
            return error

    good = [commands.submit(a_job({"seconds": number})) for number in range(50)]
    keyed = [commands.submit_once(a_job(), IdempotencyKey("", f"k{number}")) for number in range(20)]
    bad = [
        commands.submit(a_job({"seconds": "long"})),
        commands.submit(a_job(unique_key="taken")),
        commands.submit_once(a_job(priority=5), IdempotencyKey("", "used")),
        commands.submit_once(a_job({"seconds": "long"}), IdempotencyKey("", "used")),
        commands.submit_once(a_job({"seconds": "long"}), IdempotencyKey("", "free")),
        commands.submit(a_job(notifications={"pigeon": {}})),
    ]
    same = [commands.submit_once(a_job(), IdempotencyKey("", "same")) for _ in range(10)]
    outcomes = await asyncio.gather(*map(outcome, [*good, *bad, *keyed, *same]))
    good, bad, keyed, same = outcomes[:50], outcomes[50:56], outcomes[56:76], outcomes[76:]
    assert await stored(platform, good) == good
    assert [type(one) for one in bad] == [
        ValidationFailed,
        UniqueKeyTaken,
        IdempotencyKeyReused,
        IdempotencyKeyReused,
        ValidationFailed,
        ValidationFailed,
    ]
    assert bad[1].job_id == holder.job_id
    assert not any(one.is_replay for one in keyed)
    assert len({one.job.job_id for one in same}) == 1
    assert sorted(one.is_replay for one in same) == [False] + 9 * [True]
    again = await commands.submit_once(a_job(), IdempotencyKey("", "free"))
    assert not again.is_replay


async def test_a_key_that_another_process_is_about_to_use_is_waited_for_and_found(platform, commands):
    key, now = IdempotencyKey("", "k"), platform.database.clock.now()
    await commands.submit(a_job())
    async with platform.database.transaction() as connection:
        other = FirstSubmission(uuid7(), {"priority": "x"})
        await IdempotencyRepository(connection).take(key, other, now, now)
        outcomes = [commands.submit_once(a_job(), key), *(commands.submit(a_job()) for _ in range(5))]
        task, *outcomes = map(asyncio.create_task, outcomes)
        jobs = await asyncio.gather(*outcomes)
        assert await stored(platform, jobs) == jobs
        assert not task.done()
    with pytest.raises(IdempotencyKeyReused):
        await task


@processor("demo.sleep", max_retries=9)
async def other_sleep(payload: dict[str, str]) -> None: ...


async def test_a_type_that_is_published_anew_between_is_checked_anew(platform, commands, statements):
    await commands.submit(a_job())

    async def publish_other():
        statements.before = publish_nothing
        await publish(platform, other_sleep)

    async def publish_nothing():
        pass

    statements.before = publish_other
    with pytest.raises(ValidationFailed, match="payload"):
        await commands.submit(a_job())
    job = await commands.submit(a_job({"seconds": "long"}))
    assert (job.max_attempts, await stored(platform, [job])) == (10, [job])


async def test_nobody_is_refused_by_what_a_type_was(platform, commands):
    await commands.submit(a_job())
    await publish(platform, other_sleep)
    assert (await commands.submit(a_job({"seconds": "long"}))).max_attempts == 10


async def test_a_type_that_is_gone_is_unknown(platform, commands):
    await commands.submit(a_job())
    async with platform.database.transaction() as connection:
        await connection.execute(text("DELETE FROM perdure.job_types"))
    with pytest.raises(PerdureError, match="published"):
        await commands.submit(a_job())


async def test_where_the_statement_fails_each_is_stored_by_itself(platform, commands, statements):
    await commands.submit(a_job())

    async def fail():
        raise asyncpg.DataError("one of them")

    statements.before = fail
    jobs = await asyncio.gather(*(commands.submit(a_job()) for _ in range(10)))
    assert await stored(platform, jobs) == jobs


async def test_a_database_that_goes_away_is_told_to_all_and_then_forgotten(platform, commands, statements):
    await commands.submit(a_job())

    async def lose():
        raise asyncpg.ConnectionDoesNotExistError("gone")

    statements.before, well = lose, statements.before
    answers = await asyncio.gather(*(commands.submit(a_job()) for _ in range(10)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unavailable}
    statements.before = well
    assert await stored(platform, [job := await commands.submit(a_job())]) == [job]


async def test_a_mistake_of_ours_is_raised_where_it_is_waited_for(commands, statements):
    async def fail():
        raise KeyError("ours")

    statements.before = fail
    with pytest.raises(KeyError):
        await commands.submit(a_job())


async def test_one_that_nobody_waits_for_any_more_hinders_nobody(platform, commands, statements):
    await commands.submit(a_job())
    going = asyncio.Event()

    async def wait():
        statements.before = nothing
        going.set()
        await asyncio.sleep(0)

    async def nothing():
        pass

    statements.before = wait
    given_up = asyncio.create_task(commands.submit(a_job()))
    other = asyncio.create_task(commands.submit(a_job()))
    await going.wait()
    given_up.cancel()
    assert await stored(platform, [await other]) == [await other]
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_large_ones_do_not_share_a_statement(commands, statements):
    padding = "x" * 700_000
    await commands.submit(a_job())
    statements.sizes.clear()
    jobs = await asyncio.gather(*(commands.submit(a_job(context={"padding": padding})) for _ in range(4)))
    assert [job.context["padding"] == padding for job in jobs] == [True] * 4
    assert max(statements.sizes) == 1
