"""The supervisor with real processes: children that say who they are, are killed, stopped, or lose their parent."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from perdure.workers.stopping import WORN_OUT

# Lines are written whole, in one call each: several processes share the pipe.
PARENT = r"""
import asyncio, os, sys
from perdure.workers import supervisor
supervisor.FIRST_PAUSE_SECONDS = 0.01
supervisor.STOP_GRACE_SECONDS = float(sys.argv[3])
child = [sys.executable, "-c", sys.argv[1]]
def say(line): os.write(1, line.encode() + b"\n")
def ended(number, end, pause): say(f"ended {number} {end} {pause}")
async def main():
    drain = float(sys.argv[4])
    async with supervisor.Supervisor([child] * int(sys.argv[2]), drain_seconds=drain, ended=ended) as supervised:
        if said := await supervised.all_ready(): say("ready " + " ".join(str(one["pid"]) for one in said))
        await supervised.all_ended()
    if supervised.failed: sys.exit(f"failed: {supervised.failed.failure or supervised.failed.exit_code}")
asyncio.run(main())
"""
CHILD = r"""
import os, signal, sys, threading
from perdure.workers.parent import Parent
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
parent = Parent.inherited()
os.write(1, f"child {os.getpid()}\n".encode())
parent.ready({"pid": os.getpid()})
while not stopped.wait(0.05): pass
os.write(1, f"drained {os.getpid()}\n".encode())
"""
STUBBORN = r"""
import os, signal, time
from perdure.workers.parent import Parent
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked\n"))
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"asked again\n"))
os.write(1, f"child {os.getpid()}\n".encode())
Parent.inherited().ready({"pid": os.getpid()})
while True: time.sleep(60)
"""
WRONG = r"""
from perdure.errors import ConfigurationError
from perdure.workers.parent import Parent
Parent.inherited().failed(ConfigurationError("mend this"))
raise SystemExit(1)
"""
DIES = r"""
import os
from perdure.workers.parent import Parent
Parent.inherited().ready({"pid": os.getpid()})
raise SystemExit(%d)
"""


class Supervised:
    """A supervisor in a process of its own, and the lines that it and its children print."""

    def __init__(self, child, count, grace_seconds, drain_seconds):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, child, str(count), str(grace_seconds), str(drain_seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self):
        return self.process.stdout.readline().split()

    def children(self, count):
        """Their process ids, once each has said so and the parent that all are ready."""
        lines = [self.line() for _ in range(count + 1)]
        said = {int(line[1]) for line in lines if line[0] == "child"}
        assert {int(number) for line in lines if line[0] == "ready" for number in line[1:]} == said
        return said


@pytest.fixture
def supervised():
    made = []

    def start(child=CHILD, count=2, grace_seconds=60, drain_seconds=0):
        made.append(Supervised(child, count, grace_seconds, drain_seconds))
        return made[-1]

    yield start
    for one in made:
        for process in psutil.Process(one.process.pid).children() if one.process.poll() is None else []:
            process.kill()
        one.process.kill()
        one.process.communicate()


def test_a_child_that_dies_is_replaced_and_the_others_are_left_alone(supervised):
    parent = supervised()
    first, second = parent.children(2)
    os.kill(first, signal.SIGKILL)
    word, _, end, _ = parent.line()
    assert (word, end) == ("ended", "SIGKILL")
    word, third = parent.line()
    assert word == "child"
    assert int(third) not in {first, second}
    assert psutil.pid_exists(second)


def test_a_stop_reaches_every_child_and_waits_for_it(supervised):
    parent = supervised()
    children = parent.children(2)
    parent.process.send_signal(signal.SIGTERM)
    said, errors = parent.process.communicate(timeout=20)
    assert parent.process.returncode == 0
    assert set(said.splitlines()) == {f"drained {child}" for child in children}, "drained, not replaced"
    assert errors == ""


def test_a_second_stop_is_passed_on_and_a_third_waits_no_longer(supervised):
    parent = supervised(STUBBORN, 1)
    [child] = parent.children(1)
    for said in (["asked"], ["asked", "again"]):
        parent.process.send_signal(signal.SIGTERM)
        assert parent.line() == said
    parent.process.send_signal(signal.SIGTERM)
    assert parent.process.wait(20) == 0
    assert not psutil.pid_exists(child)


@pytest.mark.parametrize(("signals", "drain_seconds"), [(1, 0), (2, 600)])
def test_a_child_that_does_not_end_is_killed_in_the_end(supervised, signals, drain_seconds):
    parent = supervised(STUBBORN, 1, grace_seconds=0.1, drain_seconds=drain_seconds)
    [child] = parent.children(1)
    for _ in range(signals):
        parent.process.send_signal(signal.SIGTERM)
        assert parent.line() in (["asked"], ["asked", "again"], [])
    assert parent.process.wait(20) == 0
    assert not psutil.pid_exists(child)


def test_children_end_with_their_parent_even_by_kill_9(supervised):
    parent = supervised()
    children = parent.children(2)
    parent.process.kill()
    # The pipe's end comes when the last child has closed its output: no child is left.
    said = parent.process.stdout.read()
    assert set(said.splitlines()) == {f"drained {child}" for child in children}


def test_pauses_grow_while_a_child_dies_at_once(supervised):
    parent = supervised(DIES % 3, 1)
    ends = [line for line in (parent.line() for _ in range(5)) if line[0] == "ended"]
    assert {tuple(end[:5]) for end in ends} == {("ended", "0", "exit", "code", "3")}
    assert [float(end[5]) for end in ends] == [0.01, 0.02, 0.04, 0.08]


def test_one_that_is_worn_out_is_replaced_at_once(supervised):
    parent = supervised(DIES % WORN_OUT, 1)
    ends = [line for line in (parent.line() for _ in range(3)) if line[0] == "ended"]
    assert [float(end[5]) for end in ends] == [0.0, 0.0]


def test_an_error_before_all_were_ever_ready_ends_everything_and_is_said_once(supervised):
    parent = supervised(WRONG, 2)
    said, errors = parent.process.communicate(timeout=20)
    assert (said, errors) == ("", "failed: mend this\n")
    assert parent.process.returncode == 1


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path):
    """As when the machine is out of processes for a moment."""
    script = PARENT.replace('[sys.executable, "-c", sys.argv[1]]', "[sys.argv[1]]")
    missing = tmp_path / "later"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(missing), "1", "60", "0"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert "not started" in parent.stdout.readline()
        missing.write_text("#!/bin/sh\necho started\nexec sleep 60\n")
        missing.chmod(0o755)
        assert any(line == "started\n" for line in parent.stdout)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(20) == 0
