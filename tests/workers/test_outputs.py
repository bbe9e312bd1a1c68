"""What attempts save: kept with success alone, and by the holder of the job alone."""

import asyncio
import io
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from perdure.models.lifecycle import JobStatus
from perdure.processors.base import FileId, JobContext, processor
from perdure.repositories.file_repository import FileRepository
from perdure.signals import FileStoreMissed, FileStoreSeen, JobsClaimed, TransitionRefused
from perdure.workers.outputs import AttemptEnded

SOON = {"base_seconds": 0.01, "max_seconds": 0.02}


@processor("test.save")
def save(payload: dict, ctx: JobContext) -> str:
    return ctx.save_output(payload.get("name", "out.txt"), b"saved", content_type="text/plain; charset=utf-8")


async def uploaded(platform):
    async def chunks():
        yield b"abc"

    return await platform.file_commands.upload(chunks(), name="f", content_type="text/csv", expected={})


async def files_of(platform, job):
    async with platform.database.snapshot() as connection:
        return await FileRepository(connection).of_job(job.job_id)


async def noted(platform):
    async with platform.database.snapshot() as connection:
        return set((await connection.execute(text("SELECT file_id FROM perdure.file_removals"))).scalars())


def bytes_of(platform):
    return {path.name for path in platform.files._root.glob("*/*")}


async def nothing_left(platform):
    """Everything that was noted for removal at once is removed, and no byte is left."""
    await platform.file_commands.sweep()
    assert bytes_of(platform) == set()
    assert await noted(platform) == set()


async def test_an_output_is_the_jobs_and_another_jobs_input(worker, platform):
    @processor("test.read")
    def read(payload: dict, ctx: JobContext) -> str:
        with ctx.open_input(payload["file"]) as file:
            return file.read().decode()

    async with worker(save, read) as bench:
        job = await bench.run("test.save")
        reader = await bench.run("test.read", {"file": job.result})
    [(file, role)] = await files_of(platform, job)
    assert (str(file.file_id), file.name, file.content_type, role) == (job.result, "out.txt", "text/plain", "output")
    assert platform.files.path(file.file_id).read_bytes() == b"saved"
    assert reader.result == "saved"
    assert [role for _, role in await files_of(platform, reader)] == ["input"]
    assert await noted(platform) == set()


async def test_every_kind_of_source_is_stored_whole(worker, platform, tmp_path):
    content = b"x" * 2_500_000
    (tmp_path / "source").write_bytes(content)

    @processor("test.sources")
    async def sources(payload: dict, ctx: JobContext) -> list[FileId]:
        return [
            await asyncio.to_thread(ctx.save_output, "out", source)
            for source in (content, Path(tmp_path / "source"), io.BytesIO(content))
        ]

    async with worker(sources) as bench:
        job = await bench.run("test.sources")
    assert len(await files_of(platform, job)) == 3
    assert {platform.files.path(UUID(one)).read_bytes() for one in job.result} == {content}


async def test_a_failed_attempts_outputs_vanish_and_the_next_ones_stay(worker, platform):
    @processor("test.second")
    def second(payload: dict, ctx: JobContext) -> str:
        file_id = ctx.save_output(f"attempt {ctx.attempt}", b"x")
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return file_id

    async with worker(second, run_sweeper=False) as bench:
        job = await bench.run("test.second", retry=SOON)
    assert [file.name for file, _ in await files_of(platform, job)] == ["attempt 2"]
    await platform.file_commands.sweep()
    assert bytes_of(platform) == {job.result}
    assert await noted(platform) == set()


@pytest.mark.parametrize("end", ["cancelled", "timed out", "not JSON"])
async def test_an_attempt_that_does_not_succeed_keeps_nothing(worker, platform, end):
    saved = asyncio.Event()

    @processor("test.unlucky")
    async def unlucky(payload: dict, ctx: JobContext) -> Any:
        await asyncio.to_thread(ctx.save_output, "out", b"x")
        saved.set()
        if end != "not JSON":
            await asyncio.Event().wait()
        return object()

    async with worker(unlucky, run_sweeper=False) as bench:
        job = await bench.submit("test.unlucky", max_retries=0, timeout_seconds=1 if end == "timed out" else 60)
        await asyncio.wait_for(saved.wait(), 20)
        if end == "cancelled":
            await platform.commands.cancel(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
    assert await files_of(platform, job) == []
    await nothing_left(platform)


async def test_a_thread_that_saves_after_its_time_keeps_nothing(worker, platform):
    late = threading.Event()

    @processor("test.late")
    def save_late(payload: dict, ctx: JobContext) -> None:
        while not ctx.cancelled:
            late.wait(0.005)
        with pytest.raises(AttemptEnded):
            ctx.save_output("late", b"x")
        late.set()

    async with worker(save_late) as bench:
        job = await bench.run("test.late", timeout_seconds=0.1, max_retries=0)
        assert await asyncio.to_thread(late.wait, 20)
    assert await files_of(platform, job) == []
    assert bytes_of(platform) == set()


async def test_whoever_lost_the_job_keeps_no_output_of_it(worker, platform):
    """The fence: the job has moved on when the attempt comes back with its file."""
    saved, proceed = asyncio.Event(), asyncio.Event()

    @processor("test.outrun")
    async def outrun(payload: dict, ctx: JobContext) -> str:
        file_id = await asyncio.to_thread(ctx.save_output, "out", b"x")
        saved.set()
        await proceed.wait()
        return file_id

    async with worker(outrun, run_sweeper=False) as bench:
        job = await bench.submit("test.outrun")
        await asyncio.wait_for(saved.wait(), 20)
        async with platform.database.transaction() as connection:
            await connection.execute(text("UPDATE perdure.jobs SET fence = fence + 1"))
        refused = asyncio.create_task(platform.signals.wait_for(TransitionRefused))
        await asyncio.sleep(0)
        proceed.set()
        await asyncio.wait_for(refused, 20)
    assert await files_of(platform, job) == []
    await nothing_left(platform)


async def test_a_success_that_is_recorded_twice_loses_no_file(worker, platform):
    """The commit's answer may be lost: the second try is refused, and must not take the first one's file away."""
    async with worker(save) as bench:
        job = await bench.run("test.save")
    await platform.file_commands.discard([UUID(job.result)])
    assert await platform.file_commands.sweep() == 0
    assert bytes_of(platform) == {job.result}


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a\nb", "x" * 256])
async def test_a_name_that_leads_elsewhere_is_refused(worker, platform, name):
    async with worker(save) as bench:
        job = await bench.run("test.save", {"name": name})
    assert (job.status, job.error.type) == (JobStatus.FAILED, "NotRetryable")
    assert bytes_of(platform) == set()


async def test_an_async_processor_is_told_not_to_block_the_loop(worker):
    @processor("test.blocking")
    async def blocking(payload: dict, ctx: JobContext) -> None:
        ctx.save_output("out", b"x")

    async with worker(blocking) as bench:
        job = await bench.run("test.blocking", max_retries=0)
    assert "asyncio.to_thread" in job.error.message


async def test_a_worker_without_the_store_leaves_files_to_others_and_says_so_once(worker, platform):
    @processor("test.size")
    def size(payload: dict, ctx: JobContext) -> int:
        return ctx.input_path(payload["file"]).stat().st_size

    file = await uploaded(platform)
    mark = platform.files._root / "store-id"
    hidden = mark.rename(mark.with_name("hidden"))
    missed = []
    platform.signals.subscribe(FileStoreMissed, missed.append)
    async with worker(size, save) as bench:
        naming = await bench.submit("test.size", {"file": str(file.file_id)}, priority=100)
        other = await bench.run("test.save", max_retries=0)
        assert "not the platform's file store" in other.error.message, "it ran, and was told why it cannot save"
        assert (await bench.get(naming.job_id)).status is JobStatus.QUEUED
        async with platform.database.snapshot() as connection:
            assert (await connection.execute(text("SELECT sees_files FROM perdure.workers"))).scalars().all() == [False]
        claimed = asyncio.create_task(platform.signals.wait_for(JobsClaimed))
        seen = asyncio.create_task(platform.signals.wait_for(FileStoreSeen))
        await asyncio.sleep(0)
        hidden.rename(mark)
        await asyncio.wait_for(asyncio.gather(seen, claimed), 20)
        await asyncio.wait_for(bench.finals[naming.job_id].wait(), 20)
        assert (await bench.get(naming.job_id)).result == 3
    assert len(missed) == 1


async def test_a_store_that_goes_away_under_way_costs_an_attempt_and_not_the_job(worker, platform):
    root = platform.files._root
    away = root.with_name("away")
    visits = []

    @processor("test.open")
    def open_(payload: dict, ctx: JobContext) -> str:
        visits.append(ctx.attempt)
        if len(visits) == 1:
            root.rename(away)
        try:
            with ctx.open_input(payload["file"]) as file:
                return file.read().decode()
        finally:
            if len(visits) == 1:
                away.rename(root)

    file = await uploaded(platform)
    async with worker(open_) as bench:
        job = await bench.run("test.open", {"file": str(file.file_id)}, retry=SOON)
        assert (job.result, job.attempt) == ("abc", 2)
        await platform.file_commands.delete(file.file_id)
        bench.finals[job.job_id].clear()
        await platform.commands.retry(job.job_id)
        await asyncio.wait_for(bench.finals[job.job_id].wait(), 20)
        job = await bench.get(job.job_id)
    assert (job.status, job.error.type) == (JobStatus.FAILED, "NotRetryable"), "a deleted file does not come back"
