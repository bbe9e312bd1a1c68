"""What processes count adds up to what happened, by minute, hour, queue and job type, whoever writes when."""

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from perdure.core.history import read_history
from perdure.errors import Unavailable, ValidationFailed
from perdure.models.histogram import RELATIVE_ERROR
from perdure.models.history import KEPT_DAYS, MAX_SERIES, OTHERS
from perdure.repositories.tally_repository import TallyRepository
from perdure.schemas.history import HistoryQuery
from perdure.signals import JobsSubmitted, Signals, StepsRecorded
from perdure.workers.tallier import Tallier

COUNTED = {"SUCCESS": "succeeded", "FAILURE": "failed", "RETRY": "retried", "CANCELLED": "cancelled"}


def ended(event, queue="q", job_type="t", wait=0.1, duration=0.2):
    return StepsRecorded(queue, job_type, event, count=1, attempts=[(wait, duration)])


async def history(database, **query):
    return await read_history(database, HistoryQuery.model_validate(query))


async def in_all(database, **query):
    found = await history(database, **query)
    names = ("submitted", *COUNTED.values(), "attempts")
    return Counter({name: sum(getattr(point, name) for point in found.points) for name in names})


async def test_sums_are_what_happened_under_concurrent_talliers_and_answers_that_are_lost(any_database, monkeypatch):
    """Each counts on while it writes, and every third commit's answer is lost: the same is written again."""
    chance = random.Random(7)
    happened = {queue: Counter() for queue in "ab"}
    transaction, commits = type(any_database).transaction, Counter()

    @asynccontextmanager
    async def sometimes_unheard(self, **options):
        async with transaction(self, **options) as connection:
            yield connection
        commits["all"] += 1
        if commits["all"] % 3 == 0:
            raise Unavailable("the answer to the commit was lost")

    monkeypatch.setattr(type(any_database), "transaction", sometimes_unheard)

    async def process():
        signals = Signals()
        tallier = Tallier(any_database, signals)
        for _ in range(12):
            for _ in range(chance.randrange(8)):
                queue, event = chance.choice("ab"), chance.choice(list(COUNTED))
                signals.emit(ended(event, queue=queue))
                signals.emit(JobsSubmitted((uuid4(),) * 2, ("t", "u"), (queue, queue)))
                happened[queue].update({COUNTED[event]: 1, "attempts": 1, "submitted": 2})
            await _saved(tallier)

    await asyncio.gather(*(process() for _ in range(4)))
    assert commits["all"] > 10
    for step in (60, 3600):
        assert await in_all(any_database, step=step) == happened["a"] + happened["b"]
        assert await in_all(any_database, step=step, queue="a") == happened["a"]
    assert (await in_all(any_database, job_type="u"))["submitted"] == sum(
        one["submitted"] for one in happened.values()
    ) / 2


async def _saved(tallier):
    try:
        await tallier.save()
    except Unavailable:
        await _saved(tallier)


async def test_quantiles_are_those_of_all_processes_together(any_database):
    for wait in (0.01, 5.0, 300.0):
        signals = Signals()
        tallier = Tallier(any_database, signals)
        for _ in range(33):
            signals.emit(ended("SUCCESS", wait=wait, duration=wait / 10))
        await tallier.save()
    [point] = [one for one in (await history(any_database, step=86_400)).points if one.attempts]
    assert point.wait_seconds.p50 == pytest.approx(5.0, rel=RELATIVE_ERROR)
    assert point.wait_seconds.p99 == pytest.approx(300.0, rel=RELATIVE_ERROR)
    assert point.duration_seconds.p95 == pytest.approx(30.0, rel=RELATIVE_ERROR)


async def test_a_flood_of_queues_becomes_few_rows(any_database):
    signals = Signals()
    tallier = Tallier(any_database, signals)
    for number in range(MAX_SERIES + 50):
        signals.emit(ended("SUCCESS", queue=f"customer-{number}"))
    await tallier.save()
    async with any_database.snapshot() as connection:
        query = text("SELECT queue, succeeded FROM perdure.job_history WHERE width_seconds = 3600")
        rows = dict((await connection.execute(query)).all())
    assert len(rows) == MAX_SERIES + 1
    assert rows[OTHERS] == 50


async def test_history_is_without_gaps_and_forgotten_in_time(any_database):
    signals = Signals()
    tallier = Tallier(any_database, signals)
    signals.emit(ended("FAILURE"))
    await tallier.save()
    found = await history(any_database)
    assert len(found.points) in (60, 61)
    assert [later.at - one.at for one, later in zip(found.points, found.points[1:], strict=False)] == [
        timedelta(minutes=1)
    ] * (len(found.points) - 1)
    assert [one.failed for one in found.points if one.attempts] == [1]
    for width, days in KEPT_DAYS.items():
        async with any_database.transaction() as connection:
            await connection.execute(
                text("UPDATE perdure.job_history SET starts_at = now() - make_interval(days => :days, hours => 1) "
                     "WHERE width_seconds = :width"), {"days": days, "width": width},
            )  # fmt: skip
            await TallyRepository(connection).forget_old()
            left = await connection.execute(text("SELECT width_seconds FROM perdure.job_history"))
            assert width not in set(left.scalars())


async def test_too_many_points_are_refused(any_database):
    with pytest.raises(ValidationFailed):
        await history(any_database, step=60, **{"from": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00Z"})
