"""Many jobs, and a database that goes away meanwhile: each is stored once, or its sender knows what is not known."""

from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from tests.faulty_database import Fault, FaultyDatabase
from tests.routes.conftest import publish

from perdure.core import bulk
from perdure.core import submission as storing
from perdure.core.bulk import BulkSubmission
from perdure.core.job_factory import JobFactory
from perdure.errors import MalformedJSON, SubmissionInDoubt, Unavailable, UniqueKeyTaken, UnknownJobType
from perdure.processors import demo
from perdure.schemas.alike import Group
from perdure.schemas.job import JobCreate
from perdure.signals import JobsSubmitted

BAD = MalformedJSON("no job")


@pytest.fixture
async def faulty(platform, monkeypatch):
    """Bulk submission over a database whose commits can go wrong, with no patience left at first."""
    await publish(platform, demo.sleep)
    monkeypatch.setattr(bulk, "PAUSE_SECONDS", 0.0)
    database = FaultyDatabase(platform.database.url)
    yield BulkSubmission(database, JobFactory(platform.providers), platform.wakeup, platform.signals), database
    await database.close()


def job(**changes):
    return JobCreate(**{"job_type": "demo.sleep"} | changes)


async def outcomes(submission, *batches):
    async def each():
        for batch in batches:
            yield [Group.of(batch)]

    return [list(outcome) async for outcome in submission.store(each())]


async def stored(database):
    async with database.snapshot() as connection:
        return set((await connection.execute(text("SELECT job_id FROM perdure.jobs"))).scalars())


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("keys", [(None, None), ("a", None), ("a", "b")])
async def test_a_batch_whose_transaction_breaks_is_stored_once(faulty, platform, signals, fault, keys):
    submission, database = faulty
    submitted = []
    signals.subscribe(JobsSubmitted, submitted.append)
    database.fault = fault
    first, second = keys
    [[one, refused, other]] = await outcomes(
        submission, [job(unique_key=first), job(job_type="never.heard"), job(unique_key=second)]
    )
    assert isinstance(refused, UnknownJobType)
    assert await stored(platform.database) == {one, other}
    assert [signal.job_ids for signal in submitted] == [(one, other)]


@pytest.mark.parametrize("fault", [Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT])
async def test_what_a_lost_commit_came_to_is_said_not_to_be_known(faulty, platform, monkeypatch, fault):
    submission, database = faulty
    monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.0)
    database.fault = fault
    (bad, refused, untold), (later,) = await outcomes(submission, [BAD, job(job_type="never.heard"), job()], [job()])
    assert bad is BAD
    assert isinstance(refused, UnknownJobType)
    assert isinstance(untold, SubmissionInDoubt)
    there = {untold.job_id} if fault is Fault.AFTER_COMMIT else set()
    assert await stored(platform.database) == there | {later}


async def test_what_never_came_to_a_commit_is_tried_again_while_there_is_patience(faulty, platform, monkeypatch):
    """Here a look at the clock takes six seconds. Once the patience is used up, each batch is tried once."""
    monkeypatch.setattr(bulk, "UNDER_WAY", 1)
    monkeypatch.setattr(bulk, "time", SimpleNamespace(monotonic=count(0.0, 6.0).__next__))
    store, tries = storing.store, []

    async def away(connection, factory, sent, now):
        tries.extend(sent)
        if len(set(tries)) < 3:
            raise Unavailable("away")
        return await store(connection, factory, sent, now)

    monkeypatch.setattr(storing, "store", away)
    [first], [second], [third] = await outcomes(faulty[0], [job()], [job()], [job()])
    assert (type(first), type(second)) == (Unavailable, Unavailable), "nothing of them can have been stored"
    assert await stored(platform.database) == {third}
    assert list(Counter(tries).values()) == [2, 1, 1]


@pytest.mark.parametrize(("keys", "most"), [((None, None, None), 2), (("a", "a", "b"), 1), ((None, "a", None), 1)])
async def test_batches_overlap_unless_one_may_take_a_key_from_the_next(faulty, platform, monkeypatch, keys, most):
    store, under_way, seen = storing.store, set(), []

    async def watched(connection, factory, sent, now):
        under_way.add(sent[0][0])
        seen.append(len(under_way))
        made = await store(connection, factory, sent, now)
        under_way.discard(sent[0][0])
        return made

    monkeypatch.setattr(storing, "store", watched)
    batches = [[job(payload={"seconds": number}, unique_key=key)] for number, key in enumerate(keys)]
    made = [one for [one] in await outcomes(faulty[0], *batches)]
    assert max(seen) == most
    taken = [one for one in made if isinstance(one, UniqueKeyTaken)]
    assert [one.job_id for one in taken] == [made[0]] * (keys[0] == keys[1] == "a")
    assert [made.index(one) for one in made if one not in taken] == ([0, 2] if taken else [0, 1, 2])


async def test_what_ends_the_batches_is_raised_after_what_came_before_it(faulty, platform):
    async def broken():
        yield [Group.of([job()])]
        raise BAD

    made = []
    with pytest.raises(MalformedJSON):
        async for batch in faulty[0].store(broken()):
            made += batch
    assert await stored(platform.database) == set(made)


async def test_who_stops_asking_leaves_nothing_behind(faulty, platform):
    async def many():
        for _ in range(100):
            yield [Group.of([job()])]

    asked = faulty[0].store(many())
    first = await anext(asked)
    await asked.aclose()
    assert {*first} <= await stored(platform.database)
    assert len(await stored(platform.database)) < 10
