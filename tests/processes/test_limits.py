"""Limits while workers are killed: never above, and no slot is lost with whoever held it."""

from pathlib import Path

import asyncpg
import pytest
from tests.databases import run_aside
from tests.installation import Process, until

from perdure.client import calls

pytestmark = pytest.mark.xdist_group("crashes")

PROCESSORS = """
import asyncio
from perdure import processor


@processor("test.limited", max_concurrent=3, max_concurrent_per_key=2, max_retries=20)
async def limited(payload: dict) -> None:
    await asyncio.sleep(0.2)
"""
QUICKLY = {"base_seconds": 0.05, "max_seconds": 0.1}
JOBS, KEYS, KILLS = 30, "ab", 3

# Every attempt with its beginning and its end, as recorded. One whose worker was lost lasts until its rescue.
ATTEMPTS = """
    SELECT job.concurrency_key, event.started_at, event.at FROM perdure.job_events AS event
    JOIN perdure.jobs AS job USING (job_id) WHERE event.started_at IS NOT NULL
"""


def busy(client, workers: list[Process]) -> Process | None:
    """One of the parents whose worker processes run something."""
    running = {one["process_id"] for one in client.call(calls.workers())["items"] if one["running"] and one["alive"]}
    return next((worker for worker in workers if running & {child.pid for child in worker.children}), None)


def test_no_limit_is_exceeded_and_no_slot_lost_when_workers_are_killed_under_load(
    installation, client, embedded_url: str, tmp_path: Path
):
    (tmp_path / "limited.py").write_text(PROCESSORS)
    workers = [installation.work(PERDURE_PROCESSORS="limited") for _ in range(KILLS + 1)]
    client.call(calls.pause_queue("default"))
    jobs = [client.submit("test.limited", concurrency_key=KEYS[number % 2], retry=QUICKLY) for number in range(JOBS)]
    client.call(calls.resume_queue("default"))
    for _ in range(KILLS):
        victim = until(lambda: busy(client, workers))
        workers.remove(victim)
        victim.kill()
    assert {client.wait(job["job_id"], 60)["status"] for job in jobs} == {"SUCCEEDED"}
    attempts = run_aside(_attempts(embedded_url))
    assert len(attempts) > JOBS, "some attempts were lost with their workers"
    assert _most(attempts) == 3
    assert {key: _most([one for one in attempts if one[0] == key]) for key in KEYS} == dict.fromkeys(KEYS, 2)


async def _attempts(url: str) -> list[tuple]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(ATTEMPTS)]
    finally:
        await connection.close()


def _most(attempts: list[tuple]) -> int:
    """How many ran at a time at most. What ends as another begins was not beside it."""
    running = most = 0
    for _, step in sorted([(begun, 1) for _, begun, _ in attempts] + [(ended, -1) for _, _, ended in attempts]):
        running += step
        most = max(most, running)
    return most
