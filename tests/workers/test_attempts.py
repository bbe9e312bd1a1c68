"""What overrules an attempt, who keeps a slot, and that no processor harms its neighbours."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from perdure import JobContext, RetryAfter, Snooze, processor
from perdure.db.session import Database
from perdure.errors import Unavailable
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason
from perdure.models.retry import RetryPolicy
from perdure.signals import AttemptEndedLate, AttemptStuck, JobsClaimed, WorkerWornOut
from perdure.workers import attempts as module
from perdure.workers.completer import Completer
from perdure.workers.progress import ProgressWriter
from perdure.workers.store_watcher import StoreWatcher

SOON = {"timeout_seconds": 0.05, "max_retries": 0}


class Stubborn:
    """Processors that go on until the test lets them go, whatever they are told."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.proceed = threading.Event()
        self.loop = asyncio.get_running_loop()

    @property
    def plain(self):
        @processor("test.stubborn")
        def plain(payload: dict) -> str:
            self.loop.call_soon_threadsafe(self.begun.set)
            assert self.proceed.wait(20)
            return "done"

        return plain

    @property
    def coroutine(self):
        @processor("test.stubborn")
        async def coroutine(payload: dict) -> str:
            self.begun.set()
            while not self.proceed.is_set():
                try:
                    await asyncio.sleep(0.001)
                except asyncio.CancelledError:
                    continue
            return "done"

        return coroutine


@pytest.fixture(params=["plain", "coroutine"])
async def stubborn(request):
    made = Stubborn()
    made.processor = getattr(made, request.param)
    yield made
    made.proceed.set()


@processor("test.quick")
async def quick(payload: dict) -> str:
    return "quick"


@contextmanager
def heard(signals, kind):
    """The signals of ``kind`` that are emitted in the block."""
    those = []
    unsubscribe = signals.subscribe(kind, those.append)
    yield those
    unsubscribe()


@pytest.fixture
async def unsaved(platform):
    """A completer that saves nothing: what it was given is counted."""
    return Completer(platform.database, platform.recorder, platform.wakeup, platform.signals)


@pytest.fixture
async def attempts(platform, unsaved, stubborn):
    """The slots of a worker, with room for one stubborn attempt, and whether it was freed."""
    freed = asyncio.Event()
    made = module.Attempts(
        platform.signals,
        unsaved,
        ProgressWriter(platform.database, platform.signals),
        platform.file_commands,
        StoreWatcher(platform.signals, platform.file_commands),
        processors={"test.stubborn": stubborn.processor},
        concurrency=1,
        ended=freed.set,
        worn_out=lambda: None,
    )
    made.freed = freed
    return made


def a_claimed_job(timeout_seconds=60.0):
    job = Job.submit(
        job_id=UUID(int=1),
        run_at=None,
        now=datetime(2030, 1, 1, tzinfo=UTC),
        job_type="test.stubborn",
        payload={},
        queue="default",
        priority=0,
        max_attempts=1,
        timeout_seconds=timeout_seconds,
        retry=RetryPolicy(),
    )
    return replace(job, status=JobStatus.RUNNING, attempt=1, worker_id=UUID(int=2), started_at=job.created_at)


async def test_a_slot_is_taken_until_the_processor_has_ended(attempts, unsaved, stubborn):
    attempts.start([a_claimed_job(timeout_seconds=0.01)])
    await stubborn.begun.wait()
    await asyncio.wait_for(attempts.all_concluded.wait(), 10)
    assert (unsaved.unsaved, attempts.taken, attempts.job_ids) == (1, 1, set())
    stubborn.proceed.set()
    await asyncio.wait_for(attempts.freed.wait(), 10)
    assert (unsaved.unsaved, attempts.taken) == (1, 0)
    assert attempts.deadlines.earliest is None


async def test_what_has_not_begun_is_given_back_and_never_begins(attempts, unsaved, stubborn):
    attempts.start([a_claimed_job()])
    assert await attempts.release() == 1
    assert (unsaved.unsaved, attempts.taken, stubborn.begun.is_set()) == (1, 0, False)


async def test_a_lost_lease_concludes_nothing(attempts, unsaved, stubborn):
    attempts.start([a_claimed_job()])
    await stubborn.begun.wait()
    attempts.abandon()
    assert (unsaved.unsaved, attempts.taken, attempts.job_ids) == (0, 1, set())
    stubborn.proceed.set()
    await asyncio.wait_for(attempts.freed.wait(), 10)
    assert (unsaved.unsaved, attempts.taken) == (0, 0)


async def test_what_comes_after_the_time_out_is_dropped_and_said(worker, stubborn):
    async with worker(stubborn.processor, quick, concurrency=1) as bench:
        signals, order = bench.platform.signals, []
        job = await bench.run("test.stubborn", **SOON)
        assert (job.status, job.error.reason) == (JobStatus.FAILED, ErrorReason.TIMED_OUT)
        for kind in (AttemptEndedLate, JobsClaimed):
            signals.subscribe(kind, order.append)
        other = await bench.submit("test.quick")
        stubborn.proceed.set()
        await asyncio.wait_for(bench.finals[other.job_id].wait(), 10)
        late, claimed = order
        assert (late.job_id, late.outcome) == (job.job_id, "Succeeded")
        assert claimed.job_ids == (other.job_id,), "as soon as there was a slot, and no sooner"
        assert (await bench.get(job.job_id)).status is JobStatus.FAILED


async def test_a_job_may_run_again_beside_its_own_stuck_attempt(worker, stubborn):
    attempts = []

    @processor("test.twice")
    async def twice(payload: dict, ctx: JobContext) -> int:
        attempts.append(ctx.attempt)
        return await stubborn.coroutine.function(payload) if ctx.attempt == 1 else ctx.attempt

    async with worker(twice, concurrency=2) as bench:
        retry = {"base_seconds": 0.01, "max_seconds": 0.01}
        job = await bench.run("test.twice", timeout_seconds=0.05, retry=retry)
        stubborn.proceed.set()
    assert (job.status, job.result, attempts) == (JobStatus.SUCCEEDED, 2, [1, 2])


async def test_a_worker_with_too_many_stuck_slots_says_so_once(worker, stubborn, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.01)
    async with worker(stubborn.processor, quick, concurrency=2) as bench:
        signals = bench.platform.signals
        worn_out = asyncio.create_task(signals.wait_for(WorkerWornOut))
        with heard(signals, AttemptStuck) as stuck, heard(signals, WorkerWornOut) as said:
            await asyncio.gather(*(bench.run("test.stubborn", **SOON) for _ in range(2)))
            assert (await asyncio.wait_for(worn_out, 10)).stuck == 2
            stubborn.proceed.set()
            assert (await bench.run("test.quick")).result == "quick", "the slots are free again"
        assert ([one.stuck for one in stuck], len(said)) == ([1, 2], 1)


async def test_a_coroutine_that_stops_when_told_is_never_stuck(worker, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.0)

    @processor("test.waits")
    async def waits(payload: dict) -> None:
        await asyncio.Event().wait()

    async with worker(waits, quick, concurrency=1) as bench:
        with heard(bench.platform.signals, AttemptStuck) as stuck:
            assert (await bench.run("test.waits", **SOON)).error.reason is ErrorReason.TIMED_OUT
            assert (await bench.run("test.quick")).result == "quick"
        assert stuck == []


@pytest.mark.parametrize(
    ("looks", "ends", "status"),
    [
        (True, "returns", JobStatus.CANCELLED),
        (True, "raises", JobStatus.CANCELLED),
        (True, "snoozes", JobStatus.CANCELLED),
        (False, "returns", JobStatus.SUCCEEDED),
        (False, "raises", JobStatus.FAILED),
    ],
)
async def test_a_plain_processor_has_stopped_for_a_cancel_if_it_saw_it(worker, looks, ends, status):
    began, heard_of_it, told = asyncio.Event(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @processor("test.plain")
    def plain(payload: dict, ctx: JobContext) -> str:
        loop.call_soon_threadsafe(began.set)
        if looks:
            while not ctx.cancelled:
                told.wait(0.001)
        else:
            while ctx.stop_reason is None:  # it is told, and did not look
                told.wait(0.001)
            loop.call_soon_threadsafe(heard_of_it.set)
            assert told.wait(10)
        if ends == "raises":
            raise ValueError("stopped")
        if ends == "snoozes":
            raise Snooze(0)
        return "result"

    async with worker(plain) as bench:
        job = await bench.submit("test.plain", max_retries=0)
        await began.wait()
        await bench.platform.commands.cancel(job.job_id)
        if not looks:
            await asyncio.wait_for(heard_of_it.wait(), 10)
            assert (await bench.get(job.job_id)).status is JobStatus.RUNNING, "a thread ends when it ends"
            told.set()
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 10)
        assert (await bench.get(job.job_id)).status is status


async def test_an_async_processor_that_is_interrupted_is_cancelled_whatever_it_raises(worker):
    began = asyncio.Event()

    @processor("test.waits")
    async def waits(payload: dict) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("failed while stopping")

    async with worker(waits) as bench:
        job = await bench.submit("test.waits", max_retries=0)
        await began.wait()
        await bench.platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 10)
        job = await bench.get(job.job_id)
    assert (job.status, job.error) == (JobStatus.CANCELLED, None)


async def test_a_cancelled_attempt_that_does_not_stop_is_cancelled_at_its_deadline(worker, stubborn):
    async with worker(stubborn.processor) as bench:
        job = await bench.submit("test.stubborn", timeout_seconds=0.2)
        await stubborn.begun.wait()
        await bench.platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 10)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED
        stubborn.proceed.set()


async def test_a_worker_that_ends_waits_for_nobody_who_will_not_stop(worker, monkeypatch):
    monkeypatch.setattr(module, "CLEAN_UP_SECONDS", 0.05)
    plain, coroutine, stuck = Stubborn(), Stubborn(), Stubborn()

    @processor("test.stuck")
    def stuck_plain(payload: dict) -> None:
        stuck.plain.function(payload)

    @processor("test.coroutine")
    async def patient(payload: dict) -> str:
        return await coroutine.coroutine.function(payload)

    async with worker(plain.plain, patient, stuck_plain) as bench:
        timed_out = await bench.run("test.stuck", **SOON)
        jobs = [await bench.submit(one, max_retries=0) for one in ("test.stubborn", "test.coroutine")]
        await asyncio.gather(plain.begun.wait(), coroutine.begun.wait())
    late = []
    both = asyncio.Event()
    bench.platform.signals.subscribe(AttemptEndedLate, lambda one: late.append(one) or (len(late) == 3 and both.set()))
    for one in (plain, coroutine, stuck):
        one.proceed.set()
    await asyncio.wait_for(both.wait(), 10)
    for job in [await bench.get(job.job_id) for job in jobs]:
        assert (job.status, job.attempt, job.worker_id) == (JobStatus.QUEUED, 0, None)
    assert (await bench.get(timed_out.job_id)).error.reason is ErrorReason.TIMED_OUT


async def test_the_next_attempt_waits_as_long_as_the_processor_says(worker):
    @processor("test.later")
    async def later(payload: dict, ctx: JobContext) -> int:
        if ctx.attempt == 1:
            raise RetryAfter(0.05, "the upstream is busy")
        return ctx.attempt

    async with worker(later) as bench:
        job = await bench.run("test.later", retry={"base_seconds": 600, "max_seconds": 600})
    assert (job.result, job.attempt) == (2, 2)
    assert bench.transitions[0].retry_seconds == pytest.approx(0.05, abs=0.001)


class Rude(BaseException):
    pass


def cyclic():
    value: dict = {}
    value["self"] = value
    return value


def deep():
    value: list = []
    for _ in range(100_000):
        value = [value]
    return value


async def cancel_itself():
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def cancel_itself_and_return():
    asyncio.current_task().cancel()


def returning(make):
    async def act():
        return make()

    return act


def raising(error):
    async def act():
        raise error

    return act


RUDE = {
    "BaseException": raising(Rude()),
    "SystemExit": raising(SystemExit(1)),
    "KeyboardInterrupt": raising(KeyboardInterrupt()),
    "GeneratorExit": raising(GeneratorExit()),
    "CancelledError": raising(asyncio.CancelledError()),
    "StopAsyncIteration": raising(StopAsyncIteration()),
    "ExceptionGroup": raising(BaseExceptionGroup("two", [ValueError("a"), SystemExit()])),
    "10 MB message": raising(ValueError("x" * 10_000_000)),
    "cyclic": returning(cyclic),
    "deep": returning(deep),
    "unserialisable": returning(object),
    "10 MB result": returning(lambda: "x" * 10_000_000),
    "cancels itself": cancel_itself,
    "cancels itself and returns": cancel_itself_and_return,
}


@pytest.mark.parametrize("where", ["async", "plain"])
async def test_whatever_a_processor_does_it_ends_and_its_neighbours_are_unharmed(worker, where):
    proceed = asyncio.Event()

    @processor("test.rude")
    async def rude(payload: dict):
        return await RUDE[payload["what"]]()

    @processor("test.rude")
    def rude_plain(payload: dict):
        return asyncio.run(RUDE[payload["what"]]())

    @processor("test.neighbour")
    async def neighbour(payload: dict) -> str:
        await proceed.wait()
        return "unharmed"

    async with worker(rude if where == "async" else rude_plain, neighbour, concurrency=len(RUDE) + 1) as bench:
        beside = await bench.submit("test.neighbour")
        ended = await asyncio.gather(*(bench.run("test.rude", {"what": what}, max_retries=0) for what in RUDE))
        proceed.set()
        await asyncio.wait_for(bench.finals[beside.job_id].wait(), 10)
        assert (await bench.get(beside.job_id)).result == "unharmed"
    failed = {what for what, job in zip(RUDE, ended, strict=True) if job.status is JobStatus.FAILED}
    assert failed >= RUDE.keys() - {"cancels itself and returns"}


class Forgetful(Database):
    """Loses the answer to the first commit that leaves a job RUNNING: it was executed, and nobody was told."""

    lost = False

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as connection:
            yield connection
        await self._lose()

    @asynccontextmanager
    async def statement(self):
        async with super().statement() as driver:
            yield driver
        await self._lose()

    async def _lose(self):
        async with super().snapshot() as connection:
            running = (
                await connection.execute(text("SELECT count(*) FROM perdure.jobs WHERE status = 'RUNNING'"))
            ).scalar_one()
        if running and not self.lost:
            self.lost = True
            raise Unavailable("the answer was lost")


async def test_a_claim_whose_answer_was_lost_is_taken_up(worker, platform):
    forgetful = Forgetful(platform.database.url)
    async with worker(quick, database=forgetful) as bench:
        job = await bench.run("test.quick", max_retries=0)
    await forgetful.close()
    assert forgetful.lost
    assert (job.status, job.attempt, job.fence) == (JobStatus.SUCCEEDED, 1, 1)
