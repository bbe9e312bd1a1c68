"""A worker that is told to stop ends, whatever its processors do."""

from tests.processes.test_crashes import running

HANGING = """
import asyncio, threading
from perdure import processor

@processor("test.thread")
def thread(payload: dict) -> None:
    threading.Event().wait()

@processor("test.coroutine")
async def coroutine(payload: dict) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

@processor("test.executor")
async def executor(payload: dict) -> None:
    await asyncio.to_thread(threading.Event().wait)
"""
KINDS = ("test.thread", "test.coroutine", "test.executor")


def test_no_processor_keeps_a_stopped_worker_from_ending(client, installation, tmp_path):
    (tmp_path / "hanging.py").write_text(HANGING)
    worker = installation.work(PERDURE_PROCESSORS="hanging", PERDURE_DRAIN_SECONDS="0.1")
    jobs = [client.submit(kind, {}, max_retries=0) for kind in KINDS]
    for job in jobs:
        running(client, job)
    assert worker.stop() == 0
    ended = [client.get(job["job_id"]) for job in jobs]
    assert [(job["status"], job["attempt"]) for job in ended] == [("QUEUED", 0)] * len(KINDS)
