"""A worker that is told to stop ends, whatever its processors do, and at once if it is told again."""

import signal

import psutil
import pytest
from tests.installation import until
from tests.processes.test_crashes import events, running

from perdure.client import calls

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


DAYS = {"PERDURE_DRAIN_SECONDS": "999999"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["worker", "dev"])
def test_a_second_signal_gives_work_back_at_once_and_costs_it_no_attempt(installation, client, command, number):
    arguments = ["--port", "0"] if command == "dev" else ["--processes", "2", "--metrics-port", "0"]
    process = installation.start(command, *arguments, **DAYS)

    def workers():
        return client.call(calls.workers())["items"]

    until(lambda: len(workers()) == (1 if command == "dev" else 2))
    job = client.submit("demo.sleep", {"seconds": 600}, max_retries=0)
    running(client, job)
    process._process.send_signal(number)
    until(lambda: all(one["draining_since"] for one in workers()))  # one that is not would take what another gives back
    assert client.get(job["job_id"])["status"] == "RUNNING", "it has its time"
    process._process.send_signal(number)
    assert process._process.wait(10) == 0
    after = client.get(job["job_id"])
    assert (after["status"], after["attempt"]) == ("QUEUED", 0)
    assert events(client, job) == ["CREATED", "STARTED", "RELEASED"]


def test_a_service_manager_may_send_the_signal_to_parent_and_children(installation, client):
    """They have their time all the same: it was said once, to each."""
    worker = installation.work(**DAYS)
    [child] = worker.children
    job = client.submit("demo.sleep", {"seconds": 1})
    running(client, job)
    for process in (child, psutil.Process(worker.pid), child):
        process.terminate()
    assert worker._process.wait(20) == 0
    assert events(client, job) == ["CREATED", "STARTED", "SUCCESS"]
