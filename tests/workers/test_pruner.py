"""The loop: it goes on where it ended, starts anew once a day, and says what it removed."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests import history
from tests.history import Past, Told
from tests.workers.conftest import working

from perdure.core.retention import Retention, RetentionPolicy
from perdure.signals import HistoryPruned
from perdure.workers import pruner
from perdure.workers.pruner import Pruner

POLICY = RetentionPolicy(jobs_days=30, audit_days=90)


@pytest.fixture
def said(signals):
    found = []
    signals.subscribe(HistoryPruned, lambda signal: found.append(dict(signal.removed)))
    return found


@pytest.fixture
def loop(platform, signals):
    return Pruner(signals, platform.wakeup, Retention(platform.database, POLICY))


async def walk(loop):
    """Ticks until the loop would sleep."""
    ticks = Counter()
    while (pause := await loop.tick()) != pruner.INTERVAL_SECONDS:
        ticks[pause] += 1
    return ticks.total() + 1


async def test_a_walk_takes_many_batches_and_is_said_once(database, loop, said, monkeypatch):
    monkeypatch.setattr("perdure.core.retention.BATCH", 10)
    await history.write(database, [Past()] * 25)
    assert await walk(loop) == 3
    assert said == [{"jobs": 25, "job_events": 25, "job_tags": 25}]
    assert await walk(loop) == 1
    assert len(said) == 1, "nothing removed, nothing said"


async def test_what_was_left_behind_is_found_on_the_next_day(database, loop, said):
    await history.write(database, [Past(told=[Told()])])
    await walk(loop)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.deliveries SET finished_at = now() - interval '91 days'"))
    for _ in range(pruner.WALKS_PER_ROUND - 1):
        await walk(loop)
        assert said == []
    await walk(loop)
    of_delivery = {"deliveries": 1, "delivery_attempts": 1, "delivery_feedback": 1}
    assert said == [{"jobs": 1, "job_events": 1, "job_tags": 1} | of_delivery]


async def test_a_running_platform_prunes_by_itself(database, platform, signals, said):
    await history.write(database, [Past()])
    async with working(platform):
        if not said:
            await signals.wait_for(HistoryPruned)
    assert said == [{"jobs": 1, "job_events": 1, "job_tags": 1}]


def test_a_process_can_leave_it_to_others(platform):
    idle = replace(platform, settings=platform.settings.model_copy(update={"run_pruner": False}))
    assert platform.runtime(run_worker=False).retention is not None
    assert idle.runtime(run_worker=False).retention is None
