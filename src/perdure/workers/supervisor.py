"""Several worker processes under one parent: starts them, replaces one that dies, passes the stop signal on.

A child notices the parent's end, however it came, by the end of a pipe that only the parent holds open: no child is
left behind by a kill -9.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from perdure.workers.stopping import PARENT_PIPE

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SIGNAL_SECONDS = 0.5
HEALTHY_SECONDS = 60.0
"""A child that lived so long died of something new: the pauses begin anew."""


class Supervisor:
    """Keeps a process of each of ``commands`` running until it is told to stop (SIGINT, SIGTERM).

    ``ended`` is told of each one that ended by itself: its number, how it ended, and after how many seconds it is
    replaced.
    """

    def __init__(self, commands: Sequence[Sequence[str]], ended: Callable[[int, str, float], None]) -> None:
        self._commands = commands
        self._ended = ended
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._reading_end, self._writing_end = os.pipe()
        self._stop = threading.Event()

    def run(self) -> int:
        """Returns the exit code for the parent, once every child has drained."""
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, self._on_stop)
        keepers = [threading.Thread(target=self._keep, args=(number,)) for number in range(len(self._commands))]
        for keeper in keepers:
            keeper.start()
        for keeper in keepers:
            while keeper.is_alive():  # a signal that reaches another thread is acted on only when this one wakes
                keeper.join(SIGNAL_SECONDS)
        return 0

    def _keep(self, number: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            started = time.monotonic()
            end = self._run_child(number)
            if self._stop.is_set():
                return
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - started > HEALTHY_SECONDS else pause
            self._ended(number, end, pause)
            self._stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _run_child(self, number: int) -> str:
        """Runs one process to its end, and says how that came."""
        try:
            child = subprocess.Popen(
                self._commands[number],
                pass_fds=(self._reading_end,),
                env=os.environ | {PARENT_PIPE: str(self._reading_end)},
                start_new_session=True,  # a Ctrl-C reaches the parent alone, which passes it on once
            )
        except OSError as error:  # out of memory or processes: no reason to stop trying
            return f"not started: {error.strerror}"
        self._children[number] = child
        if self._stop.is_set():  # it came between
            child.terminate()
        code = child.wait()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def _on_stop(self, _signal: int, _frame: FrameType | None) -> None:
        again = self._stop.is_set()
        self._stop.set()
        for child in tuple(self._children.values()):
            if child.poll() is None:
                child.send_signal(signal.SIGKILL if again else signal.SIGTERM)
