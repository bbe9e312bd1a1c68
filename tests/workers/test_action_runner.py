"""A running platform carries actions out by itself, as soon as they are asked for."""

import asyncio
from dataclasses import replace

from tests.core.test_job_actions import asking

from perdure.processors.base import processor
from perdure.signals import JobActionAdvanced
from perdure.workers import action_runner


@processor("test.plain")
async def plain(payload: dict) -> None:
    return None


async def test_it_begins_at_once(worker, platform, signals, monkeypatch):
    monkeypatch.setattr(action_runner, "POLL_SECONDS", 600.0)
    ended: asyncio.Future[JobActionAdvanced] = asyncio.get_running_loop().create_future()
    signals.subscribe(JobActionAdvanced, ended.set_result)
    async with worker(plain) as bench:
        await bench.submit("test.plain", delay_seconds=300)
        await platform.job_actions.start(asking("cancel", filter={"job_type": "test.plain"}), "ops")
        told = await asyncio.wait_for(ended, 20)
    assert (told.status, told.done) == ("DONE", 1)


def test_a_process_can_leave_it_to_others(platform):
    idle = replace(platform, settings=platform.settings.model_copy(update={"run_actions": False}))
    assert platform.runtime(run_worker=False).actions is not None
    assert idle.runtime(run_worker=False).actions is None
