"""A pause is answered once no claim that began before it can start a job any more."""

import asyncio

import pytest
from sqlalchemy import text
from tests import claiming
from tests.repositories.test_job_repository import a_job, a_worker, add, claim

from perdure.core import queue_commands
from perdure.core.queue_commands import QueueCommands
from perdure.errors import Unavailable
from perdure.signals import QueuePaused, QueueResumed, Signal


@pytest.fixture
def queues(platform):
    return QueueCommands(platform.database, platform.wakeup, platform.signals)


async def test_a_pause_waits_for_the_claims_under_way_and_no_other_writer(platform, database, queues):
    await add(database, a_job(database), a_job(database))
    worker = await a_worker(database)
    async with database.transaction() as connection:
        await claiming.claim(connection, "default", ["t"], 1, worker)
        pause = asyncio.create_task(queues.pause("default", "ada"))
        await platform.signals.wait_for(QueuePaused)
        assert await claim(database, worker) == [], "it holds for those that begin now"
        done, _ = await asyncio.wait([pause], timeout=0.1)
        assert not done
    await asyncio.wait_for(pause, 5)


async def test_a_pause_says_when_a_claim_does_not_end(database, queues, monkeypatch):
    monkeypatch.setattr(queue_commands, "CLAIMS_END_SECONDS", 0.05)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE perdure.jobs SET queue = queue"))
        with pytest.raises(Unavailable, match="Pause it again"):
            await queues.pause("default", "ada")
    again = await queues.pause("default", "bob", "another reason")
    assert (again.paused_by, again.pause_reason) == ("ada", None), "the first pause holds"


async def test_pausing_and_resuming_twice_is_told_once(platform, queues):
    told: list[Signal] = []
    platform.signals.subscribe(Signal, told.append)
    first = await queues.pause("default", "ada", "why")
    assert await queues.pause("default", "bob") == first
    for _ in range(2):
        await queues.resume("default", "bob")
    assert told == [QueuePaused("default", "ada", "why"), QueueResumed("default", "bob")]
