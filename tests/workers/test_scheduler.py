"""The loop of a running platform: a slot that has come is run, though nobody polls."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from perdure.db.wakeup import Topic
from perdure.processors.base import JobContext, processor
from perdure.schemas.schedule import ScheduleWrite
from perdure.signals import JobsSubmitted
from perdure.workers import scheduler


@processor("test.plain")
async def plain(payload: dict, ctx: JobContext) -> str:
    return "done"


@pytest.fixture(autouse=True)
def unpolled(monkeypatch):
    """Nobody looks by himself within the time that a test waits."""
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 600.0)


async def test_a_slot_that_has_come_is_run_and_shown_with_its_job(worker, platform, signals):
    commands = platform.schedule_commands
    declared = {"expression": "0 0 1 1 *", "job": {"job_type": "test.plain"}, "catch_up": "latest"}
    async with worker(plain) as bench:
        submitted = asyncio.create_task(signals.wait_for(JobsSubmitted))
        await commands.set("yearly", ScheduleWrite.model_validate(declared), dry_run=False)
        async with platform.database.transaction() as connection:
            await connection.execute(
                text(
                    "UPDATE perdure.schedules SET settled_until = settled_until - interval '400 days',"
                    " next_slot_at = clock_timestamp() + interval '0.2 seconds'"
                )
            )
        platform.wakeup.ring(Topic.SCHEDULES)
        [job_id] = (await asyncio.wait_for(submitted, 20)).job_ids
        await asyncio.wait_for(bench.finals[job_id].wait(), 20)
    latest = (await commands.get("yearly")).last_runs[0]
    assert (latest["outcome"], latest["job_id"], latest["job_status"]) == ("submitted", job_id, "SUCCEEDED")
    assert (await bench.get(job_id)).run_at == latest["slot_at"]


def test_a_process_can_leave_it_to_others(platform):
    idle = replace(platform, settings=platform.settings.model_copy(update={"run_scheduler": False}))
    assert platform.runtime(run_worker=False).scheduling is not None
    assert idle.runtime(run_worker=False).scheduling is None
