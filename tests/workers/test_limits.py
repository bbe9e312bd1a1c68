"""Limits and paused queues with a real worker: what runs beside what, and when the next begins."""

import asyncio

import pytest

from perdure.core.queue_commands import QueueCommands
from perdure.models.lifecycle import JobStatus
from perdure.processors.base import processor
from perdure.signals import JobsClaimed
from perdure.workers import worker as module


@pytest.fixture(autouse=True)
def polls_never(monkeypatch):
    """Nothing here may be left to a poll."""
    monkeypatch.setattr(module, "POLL_SECONDS", 60.0)


@pytest.fixture
def queues(platform):
    return QueueCommands(platform.database, platform.wakeup, platform.signals)


class Gauge:
    """How many run at a time, and in what order they began."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.began: list[str] = []

    async def run(self, name: str) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.began.append(name)
        await asyncio.sleep(0.01)
        self.running -= 1


@pytest.fixture
def gauge():
    return Gauge()


async def test_jobs_of_one_key_run_one_after_the_other_and_each_begins_at_once(worker, gauge):
    @processor("test.keyed")
    async def keyed(payload: str) -> None:
        await gauge.run(payload)

    async with worker(keyed, concurrency=8) as bench:
        jobs = [await bench.submit("test.keyed", name, concurrency_key="k") for name in "abcdef"]
        async with asyncio.timeout(10):
            await asyncio.gather(*(bench.finals[job.job_id].wait() for job in jobs))
    assert (gauge.most, gauge.began) == (1, list("abcdef"))


async def test_a_type_runs_as_often_as_it_declares_and_others_are_not_held_up(worker, gauge):
    blocked = asyncio.Event()

    @processor("test.limited", max_concurrent=2)
    async def limited(payload: str) -> None:
        await gauge.run(payload)
        await blocked.wait()

    @processor("test.free")
    async def free(payload: dict) -> None:
        return None

    async with worker(limited, free, concurrency=8) as bench:
        held = [await bench.submit("test.limited", str(number), priority=9) for number in range(4)]
        assert (await bench.run("test.free")).status is JobStatus.SUCCEEDED
        assert gauge.running <= 2
        blocked.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*(bench.finals[job.job_id].wait() for job in held))
    assert gauge.most == 2


async def test_slots_are_free_again_after_a_failure_and_a_release(worker, gauge):
    @processor("test.fail")
    async def fail(payload: str) -> None:
        await gauge.run(payload)
        raise ValueError("no")

    quickly = {"base_seconds": 0.01, "max_seconds": 0.01}
    async with worker(fail, concurrency=4) as bench:
        jobs = [await bench.submit("test.fail", "x", concurrency_key="k", max_retries=1, retry=quickly) for _ in "ab"]
        async with asyncio.timeout(10):
            await asyncio.gather(*(bench.finals[job.job_id].wait() for job in jobs))
    assert (gauge.most, len(gauge.began)) == (1, 4)


async def test_a_paused_queue_starts_nothing_and_resumes_at_once(worker, gauge, queues):
    @processor("test.note")
    async def note(payload: str) -> None:
        await gauge.run(payload)

    async with worker(note) as bench:
        await queues.pause("default", "ada", "maintenance")
        waiting = [await bench.submit("test.note", "waiting", **key) for key in ({}, {"concurrency_key": "k"})]
        await bench.run("test.note", "other", queue="other")
        assert gauge.began == ["other"]
        await queues.resume("default", "ada")
        async with asyncio.timeout(10):
            await asyncio.gather(*(bench.finals[job.job_id].wait() for job in waiting))


async def test_after_a_pause_is_answered_not_one_job_is_claimed(worker, queues, signals):
    """The queue is emptied by several claims at a time, and paused amid them."""

    @processor("test.note")
    async def note(payload: dict) -> None:
        return None

    paused, late = False, []
    signals.subscribe(JobsClaimed, lambda signal: late.append(signal) if paused else None)
    async with worker(note, concurrency=2) as bench:
        claimed = asyncio.create_task(signals.wait_for(JobsClaimed))
        jobs = await asyncio.gather(*(bench.submit("test.note") for _ in range(60)))
        await claimed
        await queues.pause("default", "ada")
        paused = True
        other = await bench.run("test.note", queue="other")
        left = [job for job in jobs if (await bench.get(job.job_id)).status is JobStatus.QUEUED]
    assert left
    assert [signal.job_ids for signal in late] == [(other.job_id,)]
