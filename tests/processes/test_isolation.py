"""A worker as users run it, whose processor has a process of its own."""

import asyncio
import os
import shutil

from tests.workers import isolated_jobs
from tests.workers.test_isolation import do, gone, hear

from perdure.schemas.job import JobCreate


async def test_a_worker_that_is_killed_leaves_no_process_behind(installation, platform, tmp_path):
    """Not even one that lets no thread of its own notice."""
    shutil.copy(isolated_jobs.__file__, tmp_path / "beside_the_user.py")
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    await asyncio.to_thread(installation.work, PERDURE_PROCESSORS="beside_the_user")
    sent = {"job_type": "isolated.plain", "payload": do("hold_the_interpreter", pipe)}
    await platform.commands.submit(JobCreate.model_validate(sent))
    process = await hear(pipe)
    process.parent().kill()
    assert await gone(process)
