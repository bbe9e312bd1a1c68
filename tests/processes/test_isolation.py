"""A worker as users run it, whose processor has a process of its own: the end of one is the end of the other."""

import asyncio
import os
import shutil
from pathlib import Path

import psutil
import pytest
from tests.workers import isolated_jobs
from tests.workers.test_isolation import do, gone, hear

from perdure.models.lifecycle import JobStatus
from perdure.schemas.job import JobCreate


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_worker_that_ends_leaves_no_process_behind(installation, platform, tmp_path, end):
    shutil.copy(isolated_jobs.__file__, tmp_path / "beside_the_user.py")
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    worker = await asyncio.to_thread(
        installation.work, PERDURE_PROCESSORS="beside_the_user", PERDURE_DRAIN_SECONDS="0"
    )
    sent = {"job_type": "isolated.plain", "payload": do("hold_the_interpreter", pipe), "max_retries": 0}
    job = await platform.commands.submit(JobCreate.model_validate(sent))
    process = await hear(pipe)
    assert process.pid != worker.pid
    await asyncio.to_thread(getattr(worker, end))
    assert await gone(process)
    if end == "stop":
        async with platform.database.snapshot() as connection:
            from perdure.repositories.job_queries import JobQueries

            assert (await JobQueries(connection).get(job.job_id)).status is JobStatus.QUEUED
