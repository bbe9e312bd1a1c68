"""Leases with real processes: handlers that block everything, processes that are stopped, killed or left alone."""

import json

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
from perdure.workers import attempts, runtime

runtime.OVERDUE_SECONDS = attempts.STOP_SECONDS = 0.2

@processor("test.hold")
async def hold(payload: dict) -> None:
    '''Blocks the loop, and every thread of the process with it.'''
    ctypes.PyDLL(None).usleep(int(payload["seconds"] * 1_000_000))

@processor("test.stick", max_retries=0, timeout_seconds=0.2)
def stick(payload: dict) -> None:
    time.sleep(600)

@processor("test.wait")
async def wait(payload: dict, ctx: JobContext) -> int:
    while not Path(f"go-{ctx.attempt}").exists():
        await asyncio.sleep(0.01)
    return ctx.attempt

@processor("test.block")
async def block(payload: dict, ctx: JobContext) -> int:
    '''The first attempt blocks the loop, and so is the first to run when the process goes on.'''
    while ctx.attempt == 1 and not Path("go-1").exists():
        time.sleep(0.01)
    return await wait.function(payload, ctx)
"""


@pytest.fixture
def go(installation, tmp_path):
    """Lets these attempts of the processors above go on."""
    (tmp_path / "blocking.py").write_text(PROCESSORS)

    def let(*attempts):
        for attempt in attempts:
            (tmp_path / f"go-{attempt}").touch()

    return let


def work(installation, *arguments, **environment):
    return installation.work("--processors", "blocking", *arguments, **environment)


def running(client, job, attempt=1):
    """The job, once this attempt of it runs, or (on a machine that stalls for longer than a lease) a later one."""

    def found():
        stored = client.get(job["job_id"])
        return stored if stored["status"] == "RUNNING" and stored["attempt"] >= attempt else None

    return until(found)


def messages(log):
    return {json.loads(line)["msg"] for line in log.read_text().splitlines()}


def events(client, job):
    return [one["event"] for one in client.call(calls.job_events(job["job_id"]))["items"]]


def test_a_handler_that_blocks_its_process_for_longer_than_the_lease_keeps_its_job(installation, client, go):
    worker = work(installation)
    job = client.submit("test.hold", {"seconds": 2.5})
    ended = client.wait(job["job_id"], 60)
    assert (ended["status"], ended["attempt"]) == ("SUCCEEDED", 1)
    assert events(client, job) == ["CREATED", "STARTED", "SUCCESS"]
    assert "worker.lease_lost" not in messages(worker.log)


def test_workers_that_were_stopped_past_their_leases_change_nothing_when_they_go_on(installation, client, go):
    child_stopped, all_stopped = work(installation, "--concurrency", "1"), work(installation, "--concurrency", "1")
    jobs = [client.submit("test.block", {}, retry=QUICKLY) for _ in range(2)]
    for job in jobs:
        running(client, job)
    stopped = [*child_stopped.children, *all_stopped.children, psutil.Process(all_stopped.pid)]
    for process in stopped:
        process.suspend()
    work(installation)
    newer = [running(client, job, attempt=2) for job in jobs]
    go(1)
    for process in stopped:
        process.resume()
    for worker in (child_stopped, all_stopped):
        until(lambda log=worker.log: {"worker.lease_lost", "job.transition_refused"} <= messages(log))
    assert [client.get(job["job_id"]) for job in jobs] == newer, "late successes leave no trace beside newer attempts"
    go(2, 3)
    for job in jobs:
        ended = client.wait(job["job_id"], 60)
        assert ended["result"] == ended["attempt"] > 1
        assert events(client, job)[:4] == ["CREATED", "STARTED", "RETRY", "STARTED"]


def test_a_child_that_is_killed_is_noticed_long_before_its_lease_ends(installation, client, go):
    worker = work(installation, PERDURE_LEASE_SECONDS="600")
    job = client.submit("test.wait", {}, max_retries=0)
    running(client, job)
    worker.children[0].kill()
    ended = client.wait(job["job_id"], 60)
    assert (ended["status"], ended["error"]["reason"]) == ("FAILED", "worker_lost")


def test_a_worker_that_is_killed_by_its_parent_leaves_no_lease_behind(installation, client, go):
    """As by a third SIGTERM, where a handler lets it hear of none."""
    worker = work(installation, PERDURE_LEASE_SECONDS="600", PERDURE_DRAIN_SECONDS="600")
    job = client.submit("test.block", {}, max_retries=0)
    running(client, job)
    parent = psutil.Process(worker.pid)
    for _ in range(3):
        parent.terminate()
        client.get(job["job_id"])  # or two signals might be one
    ended = client.wait(job["job_id"], 60)
    assert (ended["status"], ended["error"]["reason"]) == ("FAILED", "worker_lost")


def test_a_cancel_reaches_a_worker_long_before_its_heartbeat(installation, client, go):
    work(installation, PERDURE_LEASE_SECONDS="600")
    job = client.submit("test.wait", {})
    running(client, job)
    client.call(calls.cancel_job(job["job_id"]))
    assert client.wait(job["job_id"], 20)["status"] == "CANCELLED"


def test_children_whose_parent_is_killed_work_until_the_lease_ends_and_no_longer(installation, client, go):
    first = work(installation)
    children = first.children
    job = client.submit("test.wait", {}, retry=QUICKLY)
    running(client, job)
    psutil.Process(first.pid).kill()
    work(installation)
    running(client, job, attempt=2)
    _gone, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    go(2)
    assert client.wait(job["job_id"], 60)["result"] == 2


def test_a_worker_whose_slots_are_stuck_is_replaced_at_once(installation, client, go):
    worker = work(installation, "--concurrency", "1")
    before = worker.children
    stuck = client.submit("test.stick", {})
    assert client.wait(stuck["job_id"], 10)["error"]["reason"] == "timed_out"
    go(1)
    assert client.wait(client.submit("test.wait", {})["job_id"], 30)["status"] == "SUCCEEDED"
    assert worker.children != before
    assert {"worker.worn_out", "worker.process_ended"} <= messages(worker.log)


def test_a_worker_that_is_blocked_past_a_deadline_is_killed_and_the_job_has_timed_out(installation, client, go):
    worker = work(installation)
    [blocked] = worker.children
    job = client.submit("test.block", {}, timeout_seconds=0.3, max_retries=0)
    ended = client.wait(job["job_id"], 60)
    assert (ended["status"], ended["error"]["reason"]) == ("FAILED", "timed_out")
    assert not blocked.is_running()
    assert "worker.overdue" in messages(worker.log)
