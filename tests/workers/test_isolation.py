"""``isolation="process"``: what a process of its own takes with it when it ends, and what it leaves alone."""

import asyncio
import json
import os
import re
import tempfile
from uuid import UUID

import psutil
import pytest
from tests.models.test_job import a_job
from tests.workers.isolated_jobs import asynchronous, plain
from tests.workers.test_outputs import bytes_of, files_of, uploaded

from perdure.models.lifecycle import JobStatus
from perdure.models.outcome import ErrorReason, Failed, Succeeded
from perdure.processors.base import processor
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.telemetry import logs
from perdure.workers import isolation_process
from perdure.workers.attempt_log import AttemptLog
from perdure.workers.context import AttemptContext, Reach
from perdure.workers.isolation import IsolatedProcesses
from perdure.workers.store_watcher import StoreWatcher

QUICKLY = {"base_seconds": 0.01, "max_seconds": 0.02}


@pytest.fixture(autouse=True)
def _nothing_is_left(embedded_url, tmp_path, monkeypatch):
    """No process, no zombie, no file."""
    spools = tmp_path / "spools"
    spools.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) - before == set()
    assert list(spools.iterdir()) == []


@pytest.fixture
def pipe(tmp_path):
    """Makes a way for a processor to tell that it runs; ``hear`` waits for that."""

    def make(name="pipe"):
        os.mkfifo(tmp_path / name)
        return str(tmp_path / name)

    return make


async def hear(pipe) -> psutil.Process:
    """Which process says so. It waits for this call before it goes on."""
    loop, said = asyncio.get_running_loop(), asyncio.Event()
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    loop.add_reader(end, said.set)
    try:
        await asyncio.wait_for(said.wait(), 20)
        return psutil.Process(int(os.read(end, 20)))
    finally:
        loop.remove_reader(end)
        os.close(end)


def do(what, *arguments):
    return {"do": what, "with": list(arguments)}


async def gone(*processes):
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=20)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


CRASHES = {
    "segfault": r"SIGSEGV: native code",
    "kill_itself": r"SIGKILL: .* out of memory",
    "exit_at_once": r"exit code 3: .*os\._exit",
    "break_the_connection": r"broke its connection",
}


async def test_a_crash_costs_one_attempt_and_no_neighbour(worker, pipe):
    proceed = asyncio.Event()

    @processor("test.neighbour")
    async def neighbour(payload: dict) -> None:
        await proceed.wait()

    async with worker(plain, neighbour, concurrency=8) as bench:
        isolated, beside = pipe(), await bench.submit("test.neighbour")
        neighbours = [beside, await bench.submit("isolated.plain", do("say", isolated))]
        again, *crashed = await asyncio.gather(
            bench.run("isolated.plain", do("exit_in_the_first_attempt"), retry=QUICKLY),
            *(bench.run("isolated.plain", do(one), max_retries=0) for one in CRASHES),
        )
        proceed.set()
        await hear(isolated)
        for job in neighbours:
            await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        neighbours = [await bench.get(job.job_id) for job in neighbours]
    assert (again.status, again.attempt) == (JobStatus.SUCCEEDED, 2)
    for job, message in zip(crashed, CRASHES.values(), strict=True):
        assert (job.error.reason, job.error.type) == (ErrorReason.WORKER_LOST, "ProcessDied")
        assert re.search(message, job.error.message)
    assert [(job.status, job.attempt) for job in neighbours] == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_limits_are_kept_whatever_the_processor_does(worker, pipe):
    async with worker(plain) as bench:
        meetings = [pipe(f"meet-{number}") for number in range(3)]
        for meeting in meetings:
            await bench.submit("isolated.plain", do("say", meeting))
        warm = {await hear(meeting) for meeting in reversed(meetings)}
        assert len(warm) == 3, "each waited in a process of its own"
        spinning, holding = pipe("spinning"), pipe("holding")
        jobs = [
            await bench.submit("isolated.plain", do("spin", spinning), timeout_seconds=0.5, max_retries=0),
            await bench.submit(
                "isolated.plain", do("hold_the_interpreter", holding), timeout_seconds=0.5, max_retries=0
            ),
            await bench.submit("isolated.plain", do("take_memory"), max_retries=0),
        ]
        killed = [await hear(spinning), await hear(holding)]
        for job in jobs:
            await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        jobs = [await bench.get(job.job_id) for job in jobs]
        assert await gone(*killed), "with what it had started"
        assert await gone(*warm), "none is used again, nor the one that was out of memory"
    assert [job.error.reason for job in jobs[:2]] == [ErrorReason.TIMED_OUT] * 2
    assert (jobs[2].error.reason, jobs[2].error.type) == (ErrorReason.RETRIES_EXHAUSTED, "MemoryError")
    assert "in take_memory" in jobs[2].error.traceback


@pytest.mark.parametrize("how", ["return", "raise", "never"])
async def test_a_cancel_ends_it_softly_if_it_can(worker, pipe, monkeypatch, how):
    monkeypatch.setattr(isolation_process, "STOP_SECONDS", 20.0 if how != "never" else 0.05)
    async with worker(plain) as bench:
        waiting = pipe()
        what = do("spin", waiting) if how == "never" else do("wait_for_the_stop", waiting, how)
        job = await bench.submit("isolated.plain", what, max_retries=0)
        process = await hear(waiting)
        await bench.platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED
        if how == "never":
            assert await gone(process)
        else:
            assert (await bench.run("isolated.plain", do("identify"))).result["pid"] == process.pid


async def test_an_async_function_is_interrupted_and_awaited(worker, platform, pipe):
    async with worker(asynchronous) as bench:
        waiting = pipe()
        job = await bench.submit("isolated.async", {"say": waiting}, max_retries=0)
        await hear(waiting)
        await bench.platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        assert (await bench.get(job.job_id)).status is JobStatus.CANCELLED
        saved = await bench.run("isolated.async", {})
    assert [str(file.file_id) for file, _ in await files_of(platform, saved)] == [saved.result]


async def test_it_has_everything_that_a_processor_has(worker, platform, capfd):
    logs.configure("json", "info")
    uploaded_file = await uploaded(platform)
    async with worker(plain) as bench:
        first, second = [(await bench.run("isolated.plain", do("identify"))).result for _ in range(2)]
        told = await bench.run("isolated.plain", do("tell"))
        read = await bench.run("isolated.plain", do("read", str(uploaded_file.file_id)))
        missing = await bench.run("isolated.plain", do("read", str(UUID(int=0))))
        saved = await bench.run("isolated.plain", do("save", "out.txt"))
        misnamed = await bench.run("isolated.plain", do("save", "a/b"))
        refused = await bench.run("isolated.plain", do("refuse"))
        odd = await bench.run("isolated.plain", do("return_what_is_no_json"))
        logged = await bench.run("isolated.plain", do("log"))
    assert first == second, "the same process"
    assert not {"sqlalchemy", "asyncpg", "fastapi", "uvicorn", "httpx2"} & set(first["rooms"])
    assert first["stdin"] == "/dev/null"
    assert told.progress == {"percent": 100.0, "message": "?there"}
    assert read.result == "abc"
    assert missing.error.reason is misnamed.error.reason is ErrorReason.NOT_RETRYABLE
    assert "no file with this id" in missing.error.message
    assert "no slash" in misnamed.error.message
    assert [(file.name, file.content_type) for file, _ in await files_of(platform, saved)] == [
        ("out.txt", "text/plain")
    ] * 3
    assert bytes_of(platform) == {str(uploaded_file.file_id), *saved.result}
    assert (refused.error.type, refused.error.message) == ("NotRetryable", "it is wrong")
    assert "not JSON" in odd.error.message
    said = [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"said"' in line]
    assert [(one["job_id"], one["attempt"]) for one in said] == [(str(logged.job_id), 1)] * 2


async def test_what_it_logged_is_kept_although_it_crashed(worker, platform):
    async with worker(plain) as bench:
        job = await bench.run("isolated.plain", do("log_and_die"), retry=QUICKLY)
    async with platform.database.snapshot() as connection:
        lines = await JobLogRepository(connection).of_job(job.job_id, 0, 3_000)
    assert (job.status, job.attempt, job.progress["percent"]) == (JobStatus.SUCCEEDED, 2, 0.0)
    assert [line.attempt for line in lines] == [1] * 1_000 + [2] * 501
    assert [lines[at].message for at in (0, 999, 1_000)] == ["line 0?", "line 999?", "line 0?"]
    assert lines[-1].message.startswith("1,000 more lines are not kept")


async def test_the_end_of_the_worker_gives_work_back_and_ends_the_processes(worker, pipe):
    async with worker(plain) as bench:
        spinning = pipe()
        job = await bench.submit("isolated.plain", do("spin", spinning), max_retries=0)
        process = await hear(spinning)
    assert await gone(process)
    job = await bench.get(job.job_id)
    assert (job.status, job.attempt) == (JobStatus.QUEUED, 0)


async def test_a_time_shorter_than_a_start_is_not_in_vain(worker):
    async with worker(plain, concurrency=1) as bench:
        job = await bench.run("isolated.plain", do("identify"), timeout_seconds=0.05, max_retries=100, retry=QUICKLY)
    assert job.status is JobStatus.SUCCEEDED
    assert job.attempt > 1


async def test_no_descriptor_is_kept(platform):
    """Nor after a crash."""

    async def run(what):
        outcome = await processes.run(plain, a_job(payload=do(what)), context)
        return type(outcome)

    watcher = StoreWatcher(platform.signals, platform.file_commands)
    log = AttemptLog(a_job(), platform.database.clock.now, lambda _: None)
    context = AttemptContext(a_job(), Reach(platform.file_commands, watcher, lambda *_: None, lambda _: log))
    before = set(os.listdir("/proc/self/fd"))
    processes = IsolatedProcesses(1)
    assert [await run("identify"), await run("exit_at_once"), await run("identify")] == [Succeeded, Failed, Succeeded]
    await processes.close()
    await asyncio.sleep(0)
    assert set(os.listdir("/proc/self/fd")) == before


async def test_one_that_waits_makes_room_for_another_processors(worker):
    async with worker(plain, asynchronous, concurrency=1) as bench:
        first = psutil.Process((await bench.run("isolated.plain", do("identify"))).result["pid"])
        assert (await bench.run("isolated.async", {})).status is JobStatus.SUCCEEDED
        assert await gone(first)
