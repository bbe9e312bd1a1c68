"""Leases with real processes: handlers that block everything, processes that are stopped, killed or left alone."""

import signal

import psutil
import pytest
from tests.installation import until

from perdure.client import calls

pytestmark = pytest.mark.xdist_group("leases")
QUICKLY = {"base_seconds": 0.05, "max_seconds": 0.1}
PROCESSORS = """
import asyncio, ctypes, time
from pathlib import Path
from perdure import JobContext, processor

@processor("test.hold")
async def hold(payload: dict) -> None:
    '''Blocks the loop, and every thread of the process with it.'''
    ctypes.PyDLL(None).usleep(int(payload["seconds"] * 1_000_000))

@processor("test.block")
async def block(payload: dict, ctx: JobContext) -> int:
    '''Blocks the loop until this attempt may go on, and is the first to run when it may.'''
    while not Path(f"go-{ctx.attempt}").exists():
        time.sleep(0.01)
    return ctx.attempt

@processor("test.wait")
async def wait(payload: dict, ctx: JobContext) -> int:
    while not Path(f"go-{ctx.attempt}").exists():
        await asyncio.sleep(0.01)
    return ctx.attempt
"""


@pytest.fixture
def go(installation, tmp_path):
    """Lets these attempts of the processors above go on."""
    (tmp_path / "blocking.py").write_text(PROCESSORS)

    def let(*attempts):
        for attempt in attempts:
            (tmp_path / f"go-{attempt}").touch()

    return let


def work(installation, **environment):
    return installation.work("--processors", "blocking", **environment)


def running(client, job, attempt=1):
    """The job, once this attempt of it runs, or (on a machine that stalls for longer than a lease) a later one."""

    def found():
        stored = client.get(job["job_id"])
        return stored if stored["status"] == "RUNNING" and stored["attempt"] >= attempt else None

    return until(found)


def events(client, job):
    return [one["event"] for one in client.call(calls.job_events(job["job_id"]))["items"]]


def test_a_handler_that_blocks_its_process_for_longer_than_the_lease_keeps_its_job(installation, client, go):
    worker = work(installation)
    job = client.submit("test.hold", {"seconds": 2.5})
    ended = client.wait(job["job_id"], 20)
    assert (ended["status"], ended["attempt"]) == ("SUCCEEDED", 1)
    assert events(client, job) == ["CREATED", "STARTED", "SUCCESS"]
    assert "lease_lost" not in worker.log.read_text()


@pytest.mark.parametrize("stopped", ["child", "parent and child"])
def test_a_worker_that_was_stopped_past_its_lease_changes_nothing_when_it_goes_on(installation, client, go, stopped):
    first = work(installation)
    processes = [*first.children, *([psutil.Process(first.pid)] if stopped == "parent and child" else [])]
    job = client.submit("test.block", {}, retry=QUICKLY)
    running(client, job)
    for process in processes:
        process.suspend()
    work(installation)
    second = running(client, job, attempt=2)
    go(1)
    for process in processes:
        process.resume()
    until(lambda: "job.transition_refused" in first.log.read_text())
    assert client.get(job["job_id"]) == second, "the late success left no trace while the newer attempt runs"
    assert "worker.lease_lost" in until(lambda: first.log.read_text() if "lease_lost" in first.log.read_text() else "")
    go(2)
    assert client.wait(job["job_id"], 20)["result"] == 2
    assert events(client, job) == ["CREATED", "STARTED", "RETRY", "STARTED", "SUCCESS"]


def test_a_child_that_is_killed_is_noticed_long_before_its_lease_ends(installation, client, go):
    worker = work(installation, PERDURE_LEASE_SECONDS="600")
    job = client.submit("test.wait", {}, max_retries=0)
    running(client, job)
    worker.children[0].kill()
    ended = client.wait(job["job_id"], 20)
    assert (ended["status"], ended["error"]["reason"]) == ("FAILED", "worker_lost")


def test_children_whose_parent_is_killed_work_until_the_lease_ends_and_no_longer(installation, client, go):
    first = work(installation)
    children = first.children
    job = client.submit("test.wait", {}, retry=QUICKLY)
    running(client, job)
    psutil.Process(first.pid).send_signal(signal.SIGKILL)
    work(installation)
    running(client, job, attempt=2)
    _gone, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    go(2)
    assert client.wait(job["job_id"], 20)["result"] == 2
