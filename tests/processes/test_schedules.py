"""Schedules whose schedulers are killed (kill -9): each slot gets its job once, and none is left out."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import groupby
from signal import SIGKILL

from sqlalchemy import text
from tests.processes.dying import die_at
from tests.processes.forked import Forks

from perdure.client import calls
from perdure.client.client import Client

NOTHING = {f"run_{loop}": False for loop in ("notifier", "promoter", "sweeper", "pruner", "actions", "scheduler")}
SCHEDULES, BATCH, OWED = 60, 20, 100
EVERY_MINUTE = {"expression": "* * * * *", "catch_up": "all", "job": {"job_type": "demo.sleep"}}
MINUTE = timedelta(minutes=1)

# As if nobody had seen to them for so many minutes.
AGE = text("""
    UPDATE perdure.schedules SET next_slot_at = clock_timestamp(),
           settled_until = date_trunc('minute', clock_timestamp()) - make_interval(mins => :owed)
    RETURNING settled_until
""")
HAD_A_TURN = text("SELECT count(DISTINCT name) FROM perdure.schedule_slots")
SLOTS = text("""
    SELECT slot.name, slot.slot_at, job.run_at
    FROM perdure.schedule_slots AS slot JOIN perdure.jobs AS job USING (job_id)
    ORDER BY slot.name, slot.slot_at
""")
JOBS = text("SELECT count(*) FROM perdure.jobs")


async def read(database, statement):
    async with database.snapshot() as connection:
        return (await connection.execute(statement)).all()


async def had_a_turn(database, at_least: int = 0) -> int:
    """How many schedules had their turn, once so many had."""
    async with asyncio.timeout(40):
        while True:
            [[schedules]] = await read(database, HAD_A_TURN)
            if schedules >= at_least:
                return schedules


async def test_each_slot_gets_one_job_whoever_is_killed(database, embedded_url, tmp_path):
    with Forks(tmp_path, database_url=embedded_url, **NOTHING) as forks:
        schedule = partial(forks.start, serves=True, run_scheduler=True)
        assert forks.start(queues=["nobodys"]).url is None  # publishes the job type, and runs nothing
        with Client(forks.start(serves=True).url) as client:
            for number in range(SCHEDULES):
                client.call(calls.set_schedule(f"every-minute-{number}", EVERY_MINUTE))
        async with database.transaction() as connection:
            since = (await connection.execute(AGE, {"owed": OWED})).scalars().first()

        assert schedule(partial(die_at, "slots settled, not committed")).end() == -SIGKILL
        assert await had_a_turn(database) == 0
        assert schedule(partial(die_at, "slots settled, not announced")).end() == -SIGKILL
        assert await had_a_turn(database) == BATCH
        killed, _other = schedule(), schedule()
        await had_a_turn(database, at_least=BATCH + 1)
        killed.close()
        await had_a_turn(database, at_least=SCHEDULES)

    slots = await read(database, SLOTS)
    for _name, of_one in groupby(slots, key=lambda slot: slot.name):
        times = [slot.slot_at for slot in of_one]
        assert len(times) >= OWED
        assert times == [since + MINUTE * number for number in range(1, len(times) + 1)], "none twice, none left out"
    assert all(slot.run_at == slot.slot_at for slot in slots)
    assert [(len(slots),)] == await read(database, JOBS), "no job without its slot"
