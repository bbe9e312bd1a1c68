"""The supervisor with real processes: children that say who they are, are killed, stopped, or lose their parent."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

# Lines are written whole, in one call each: several processes share the pipe.
PARENT = r"""
import os, sys
from perdure.workers import supervisor
supervisor.FIRST_PAUSE_SECONDS = 0.01
child = [sys.executable, "-c", sys.argv[1]]
def ended(number, end, pause):
    os.write(1, f"ended {number} {end} {pause}\n".encode())
sys.exit(supervisor.Supervisor([child] * int(sys.argv[2]), ended).run())
"""
CHILD = r"""
import os, signal, sys, threading
from perdure.workers.stopping import stop_with_parent
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
stop_with_parent()
os.write(1, f"child {os.getpid()}\n".encode())
while not stopped.wait(0.05): pass
os.write(1, f"drained {os.getpid()}\n".encode())
"""
STUBBORN = r"""
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked\n"))
os.write(1, f"child {os.getpid()}\n".encode())
while True: time.sleep(60)
"""


class Supervised:
    """A supervisor in a process of its own, and the lines that it and its children print."""

    def __init__(self, child, count):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, child, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self):
        return self.process.stdout.readline().split()

    def children(self, count):
        lines = [self.line() for _ in range(count)]
        assert {line[0] for line in lines} == {"child"}
        return {int(line[1]) for line in lines}


@pytest.fixture
def supervised():
    made = []

    def start(child=CHILD, count=2):
        made.append(Supervised(child, count))
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
    [third] = parent.children(1)
    assert third not in {first, second}
    assert psutil.pid_exists(second)


def test_a_stop_reaches_every_child_and_waits_for_it(supervised):
    parent = supervised()
    children = parent.children(2)
    parent.process.send_signal(signal.SIGTERM)
    said, errors = parent.process.communicate(timeout=20)
    assert parent.process.returncode == 0
    assert set(said.splitlines()) == {f"drained {child}" for child in children}, "drained, not replaced"
    assert errors == ""


def test_a_second_stop_waits_no_longer(supervised):
    parent = supervised(STUBBORN, 1)
    [child] = parent.children(1)
    parent.process.send_signal(signal.SIGTERM)
    assert parent.line() == ["asked"]
    parent.process.send_signal(signal.SIGTERM)
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
    parent = supervised("raise SystemExit(3)", 1)
    ends = [parent.line() for _ in range(4)]
    assert {tuple(end[:4]) for end in ends} == {("ended", "0", "exit", "code")}
    pauses = [float(end[5]) for end in ends]
    assert pauses == [0.01, 0.02, 0.04, 0.08]


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path):
    """As when the machine is out of processes for a moment."""
    script = PARENT.replace('[sys.executable, "-c", sys.argv[1]]', "[sys.argv[1]]")
    missing = tmp_path / "later"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(missing), "1"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert "not started" in parent.stdout.readline()
        missing.write_text("#!/bin/sh\necho started\nexec sleep 60\n")
        missing.chmod(0o755)
        assert any(line == "started\n" for line in parent.stdout)
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(20) == 0
