"""The platform's processes as a run has them: started as a user would, killed, stopped, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from chaos.proxy import Proxy

ROOT = Path(__file__).parents[1]


class Program:
    """One command and all that it starts. ``start`` it again whenever it has ended.

    ``busy`` is set by whoever hurts it, so that nobody else does meanwhile.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], directory: Path, proxy: Proxy | None
    ) -> None:
        self.name = name
        self.proxy = proxy
        self.busy = False
        self._command = [sys.executable, *command]
        self._environment = os.environ | dict(environment)
        self._directory = directory
        self.log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._known: set[psutil.Process] = set()
        self._had_children = False

    def start(self) -> None:
        self._had_children = False
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._directory,
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """The command's process, first, and those below it."""
        if self._process is None or not self.is_alive:
            return []
        try:
            first = psutil.Process(self._process.pid)
            found = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self._known.update(found)
        self._had_children |= len(found) > 1
        return found

    def has_lost_children(self) -> bool:
        """Whether it is a parent that has none left."""
        return len(self.processes()) == 1 and self._had_children

    def kill_first(self) -> None:
        """Kills the command's own process (kill -9): what it started is left to notice that by itself."""
        self.processes()
        if self._process is not None:
            self._process.kill()

    def signal_all(self, number: signal.Signals) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def close(self) -> None:
        """Ends it and whatever it ever started."""
        self.processes()
        for process in self._known:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait()

    def said(self, event: str) -> Iterator[dict[str, Any]]:
        """The lines of its log about ``event``."""
        for line in self.log.read_bytes().splitlines() if self.log.exists() else ():
            if event.encode() in line:
                with suppress(ValueError):  # a line that a kill cut off
                    yield json.loads(line)


def kill(process_id: int) -> bool:
    """Sends kill -9; whether there was anything to kill."""
    try:
        os.kill(process_id, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
