"""The path of a job through a real worker, in this process, on a real database."""

import asyncio
import threading

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason
from perdure.processors.base import JobContext, NotRetryable, Snooze, processor
from perdure.repositories.worker_queries import WorkerQueries
from perdure.signals import JobsClaimed, JobsRescued, JobTransitioned, LeaseLost, TransitionRefused
from perdure.workers import watermark
from perdure.workers import worker as module

QUICKLY = {"base_seconds": 0.01, "max_seconds": 0.02}


class Sum(BaseModel):
    a: int
    b: int = 0


@processor("test.sum")
async def add(payload: Sum) -> int:
    return payload.a + payload.b


@processor("test.plain")
def plain(payload: dict) -> str:
    return f"{threading.current_thread().name.split('_')[0]}:{payload['x']}"


async def test_an_async_processor_runs_and_its_result_is_kept(worker):
    async with worker(add) as bench:
        job = await bench.run("test.sum", {"a": 2, "b": 3})
    assert (job.status, job.result, job.attempt) == (JobStatus.SUCCEEDED, 5, 1)
    assert job.started_at <= job.finished_at


async def test_a_plain_processor_runs_in_a_thread(worker):
    async with worker(plain) as bench:
        job = await bench.run("test.plain", {"x": 1})
    assert job.result == "processor:1"


async def test_a_failing_job_is_retried_until_its_attempts_are_used_up(worker):
    attempts = []

    @processor("test.fail")
    async def fail(payload: dict, ctx: JobContext) -> None:
        attempts.append(ctx.attempt)
        raise ValueError("no \x00 luck")

    async with worker(fail) as bench:
        job = await bench.run("test.fail", max_retries=2, retry=QUICKLY)
    assert attempts == [1, 2, 3]
    assert job.status is JobStatus.FAILED
    assert (job.error.reason, job.error.type) == (ErrorReason.RETRIES_EXHAUSTED, "ValueError")
    assert "\x00" not in job.error.message
    assert "in fail" in job.error.traceback
    assert [one.event for one in bench.transitions] == ["RETRY", "RETRY", "FAILURE"]


async def test_not_retryable_ends_it_at_once(worker):
    @processor("test.never")
    async def never(payload: dict) -> None:
        raise NotRetryable("the input is wrong")

    async with worker(never) as bench:
        job = await bench.run("test.never")
    assert (job.status, job.attempt) == (JobStatus.FAILED, 1)
    assert (job.error.reason, job.error.message) == (ErrorReason.NOT_RETRYABLE, "the input is wrong")


async def test_snooze_gives_the_attempt_back(worker):
    calls = []

    @processor("test.snooze")
    async def snooze(payload: dict, ctx: JobContext) -> int:
        calls.append(ctx.attempt)
        if len(calls) < 3:
            raise Snooze(0.01)
        return len(calls)

    async with worker(snooze) as bench:
        job = await bench.run("test.snooze", max_retries=0)
    assert (job.result, job.attempt, job.snoozes, calls) == (3, 1, 2, [1, 1, 1])


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_an_attempt_that_takes_too_long_is_cut(worker, kind):
    stopped = threading.Event()

    @processor("test.slow")
    async def slow(payload: dict) -> None:
        await asyncio.Event().wait()

    @processor("test.slow")
    def slow_plain(payload: dict, ctx: JobContext) -> None:
        waiting = threading.Event()
        while not ctx.cancelled:
            waiting.wait(0.005)
        stopped.set()

    async with worker(slow if kind == "async" else slow_plain) as bench:
        job = await bench.run("test.slow", timeout_seconds=0.05, max_retries=0)
        assert job.error.reason is ErrorReason.TIMED_OUT
    if kind == "plain":
        assert stopped.wait(5), "the thread was told to stop"


async def test_a_time_out_of_the_processors_own_is_an_ordinary_failure(worker):
    @processor("test.own")
    async def own(payload: dict) -> None:
        raise TimeoutError("the upstream is slow")

    async with worker(own) as bench:
        job = await bench.run("test.own", max_retries=0)
    assert (job.error.reason, job.error.type) == (ErrorReason.RETRIES_EXHAUSTED, "TimeoutError")


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration(1)])
async def test_nothing_that_a_processor_raises_hurts_the_worker(worker, raised):
    @processor("test.rude")
    def rude(payload: dict) -> None:
        raise raised

    async with worker(rude, add) as bench:
        job = await bench.run("test.rude", max_retries=0)
        assert job.status is JobStatus.FAILED
        assert (await bench.run("test.sum", {"a": 1})).result == 1


@pytest.mark.parametrize(
    "result",
    [object(), "x" * 1_048_577, "\x00", "\ud800", float("inf"), {"a": {1, 2}}, [2**70]],
    ids=lambda r: type(r).__name__,
)
async def test_a_result_that_cannot_be_kept_fails_the_job_and_nothing_else(worker, result):
    @processor("test.odd")
    async def odd(payload: dict):
        return result

    async with worker(odd, add) as bench:
        job, good = await asyncio.gather(bench.run("test.odd", max_retries=3), bench.run("test.sum", {"a": 1}))
        job, good = await bench.get(job.job_id), await bench.get(good.job_id)
        if result == float("inf") or isinstance(result, dict):
            assert job.status is JobStatus.SUCCEEDED, "pydantic and orjson have a JSON form for it"
        else:
            assert job.error.reason is ErrorReason.NOT_RETRYABLE
    assert good.status is JobStatus.SUCCEEDED


async def test_progress_that_is_no_number_is_none_at_all(worker):
    @processor("test.nowhere")
    async def nowhere(payload: dict, ctx: JobContext) -> None:
        ctx.progress(float("nan"), "?")

    async with worker(nowhere) as bench:
        job = await bench.run("test.nowhere", {})
    assert job.progress == {"percent": 0.0, "message": "?"}


async def test_a_worker_that_is_told_to_end_is_shown_to_drain(worker, platform):
    begun, proceed = asyncio.Event(), asyncio.Event()

    @processor("test.holding")
    async def holding(payload: dict) -> None:
        begun.set()
        await proceed.wait()

    async def look() -> list[bool]:
        """Whether it drains, once it does or is gone."""
        while True:
            async with platform.database.snapshot() as connection:
                found = [one["draining_since"] is not None for one in await WorkerQueries(connection).all()]
            if found != [False]:
                proceed.set()
                return found

    async with worker(holding) as bench:
        job = await bench.submit("test.holding", {})
        await begun.wait()
        looking = asyncio.create_task(look())
    assert await looking == [True]
    assert (await bench.get(job.job_id)).status is JobStatus.SUCCEEDED


async def test_progress_is_kept_with_the_job(worker):
    @processor("test.steps")
    def steps(payload: dict, ctx: JobContext) -> None:
        ctx.progress(40, "on the way")
        ctx.progress(250.123)

    async with worker(steps) as bench:
        job = await bench.run("test.steps")
    assert job.progress == {"percent": 100.0, "message": None}


async def test_a_running_job_can_be_cancelled(worker):
    started = asyncio.Event()

    @processor("test.long")
    async def long(payload: dict) -> None:
        started.set()
        await asyncio.Event().wait()

    async with worker(long) as bench:
        job = await bench.submit("test.long")
        await started.wait()
        answered = await bench.platform.commands.cancel(job.job_id)
        assert answered.status is JobStatus.RUNNING
        assert answered.cancel_requested_at is not None
        await asyncio.wait_for(bench.platform.signals.wait_for(JobTransitioned), 10)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED


async def test_what_nobody_rings_for_is_found_by_looking(worker, platform, monkeypatch):
    """Every ring is lost: a job is found by a poll, and a cancel by a heartbeat."""
    monkeypatch.setattr(platform.wakeup, "ring", lambda *_topics: None)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    started = asyncio.Event()

    @processor("test.long")
    async def long(payload: dict) -> None:
        started.set()
        await asyncio.Event().wait()

    async with worker(long, add, lease_seconds=0.6) as bench:
        assert (await bench.run("test.sum", {"a": 1})).result == 1, "once it has found nothing"
        job = await bench.submit("test.long")
        await asyncio.wait_for(started.wait(), 10)
        await platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 10)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED


async def test_a_cancel_that_meets_a_failing_attempt_is_not_lost(worker):
    started, proceed = asyncio.Event(), asyncio.Event()

    @processor("test.stubborn")
    async def stubborn(payload: dict) -> None:
        started.set()
        try:
            await proceed.wait()
        finally:
            raise ValueError("failed while being cancelled")

    async with worker(stubborn) as bench:
        job = await bench.submit("test.stubborn", max_retries=5)
        await started.wait()
        final = asyncio.create_task(bench.platform.signals.wait_for(JobTransitioned))
        await bench.platform.commands.cancel(job.job_id)
        await asyncio.wait_for(final, 10)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED


async def test_no_more_runs_at_a_time_than_there_are_slots(worker):
    running, most = 0, 0

    @processor("test.busy")
    async def busy(payload: dict) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async with worker(busy, concurrency=3) as bench:
        done = asyncio.Event()
        bench.platform.signals.subscribe(
            JobTransitioned, lambda _: done.set() if len(bench.transitions) == 20 else None
        )
        await asyncio.gather(*(bench.submit("test.busy") for _ in range(20)))
        await asyncio.wait_for(done.wait(), 20)
    assert most <= 3


async def test_stopping_gives_unfinished_work_back_unharmed(worker):
    started = asyncio.Event()

    @processor("test.long")
    async def long(payload: dict) -> None:
        started.set()
        await asyncio.Event().wait()

    async with worker(long) as bench:
        job = await bench.submit("test.long", max_retries=0)
        await started.wait()
    job = await bench.get(job.job_id)
    assert (job.status, job.attempt, job.worker_id) == (JobStatus.QUEUED, 0, None)


async def test_stopping_lets_short_work_finish(worker):
    started, proceed = asyncio.Event(), asyncio.Event()

    @processor("test.short")
    async def short(payload: dict) -> str:
        started.set()
        await proceed.wait()
        return "done"

    async with worker(short) as bench:
        job = await bench.submit("test.short")
        await started.wait()
        asyncio.get_running_loop().call_later(0.05, proceed.set)
    assert (await bench.get(job.job_id)).result == "done"


async def test_a_worker_serves_only_its_queues(worker):
    async with worker(add, queues=("mine",)) as bench:
        other = await bench.submit("test.sum", {"a": 1}, queue="other")
        mine = await bench.run("test.sum", {"a": 1}, queue="mine")
        assert mine.status is JobStatus.SUCCEEDED
        assert (await bench.get(other.job_id)).status is JobStatus.QUEUED


async def test_what_becomes_ready_before_the_mark_is_found_when_the_next_look_from_the_start_is_due(
    worker, monkeypatch
):
    monkeypatch.setattr(watermark, "SHARE", 1e9)  # as if each look from the start cost very much
    monkeypatch.setattr(watermark, "LONGEST_PAUSE_SECONDS", 0.3)
    monkeypatch.setattr(module, "POLL_SECONDS", 60.0)
    async with worker(add) as bench:
        await bench.run("test.sum", {"a": 1})
        assert (await bench.run("test.sum", {"a": 2})).result == 2, "after the mark"
        assert (await bench.run("test.sum", {"a": 3}, priority=9)).result == 3, "before it"
        assert (await bench.run("test.sum", {"a": 4}, queue="new")).result == 4, "where there is none"


async def test_a_lost_lease_stops_the_work_and_the_job_runs_again(worker):
    runs = []
    both = asyncio.Event()

    @processor("test.once")
    async def once(payload: dict, ctx: JobContext) -> str:
        runs.append(ctx)
        if len(runs) == 1:
            await asyncio.Event().wait()
        return f"attempt {ctx.attempt}"

    async with worker(once, lease_seconds=0.6) as bench:
        signals = bench.platform.signals
        lost = asyncio.create_task(signals.wait_for(LeaseLost))
        rescued = asyncio.create_task(signals.wait_for(JobsRescued))
        signals.subscribe(JobTransitioned, lambda one: both.set() if one.status == "SUCCEEDED" else None)
        claimed = asyncio.create_task(signals.wait_for(JobsClaimed))
        await asyncio.sleep(0)
        job = await bench.submit("test.once", retry=QUICKLY)
        await asyncio.wait_for(claimed, 10)
        async with bench.platform.database.transaction() as connection:
            await connection.execute(text("DELETE FROM perdure.workers"))
        await asyncio.wait_for(asyncio.gather(lost, rescued, both.wait()), 20)
        job = await bench.get(job.job_id)
    assert (job.status, job.result) == (JobStatus.SUCCEEDED, "attempt 2")
    assert runs[0].cancelled


async def test_a_late_conclusion_is_refused_and_said(worker):
    started, proceed = asyncio.Event(), asyncio.Event()

    @processor("test.late")
    async def late(payload: dict) -> str:
        started.set()
        await proceed.wait()
        return "late"

    async with worker(late) as bench:
        refused = asyncio.create_task(bench.platform.signals.wait_for(TransitionRefused))
        job = await bench.submit("test.late")
        await started.wait()
        async with bench.platform.database.transaction() as connection:
            await connection.execute(text("UPDATE perdure.jobs SET fence = fence + 1"))
        proceed.set()
        assert (await asyncio.wait_for(refused, 10)).job_id == job.job_id
        assert (await bench.get(job.job_id)).result is None


async def test_a_job_whose_payload_this_worker_does_not_take_fails_clearly(worker):
    async with worker(add) as bench:
        async with bench.platform.database.transaction() as connection:
            await connection.execute(text("UPDATE perdure.job_types SET payload_schema = '{}'"))
        job = await bench.run("test.sum", {"a": "canary"})
    assert job.error.reason is ErrorReason.NOT_RETRYABLE
    assert "a:" in job.error.message
    assert "canary" not in job.error.message
