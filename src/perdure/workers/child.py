"""One worker process, as its parent sees it: whether it runs, what it said, and the page of its lease."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from perdure.errors import ProcessFailed
from perdure.workers.lease_holder import HolderState
from perdure.workers.lease_page import LeasePage, page_file
from perdure.workers.parent import LEASE_PAGE
from perdure.workers.stopping import PARENT_PIPE

LAST_WORDS_SECONDS = 1.0
"""How long what an ended process has said is awaited; the line may be held open by what it had started."""


class Child:
    """A ``LeaseHolder``. ``ready`` is what it said when it was, ``failure`` why it says it ended; None until then."""

    def __init__(self, process: Process, line: socket.socket, page: LeasePage) -> None:
        self.page = page
        self.ready: dict[str, Any] | None = None
        self.failure: ProcessFailed | None = None
        self._process = process
        self._line = line

    @classmethod
    async def start(cls, command: Sequence[str]) -> Child:
        """Starts ``command``. Raises ``OSError`` where the machine cannot."""
        file = page_file()
        line, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                pass_fds=(theirs.fileno(), file),
                env=os.environ | {PARENT_PIPE: str(theirs.fileno()), LEASE_PAGE: str(file)},
                start_new_session=True,  # a Ctrl-C reaches the parent alone, which passes it on once
            )
            return cls(process, line, LeasePage(file))
        except OSError:
            line.close()
            raise
        finally:
            theirs.close()
            os.close(file)

    @property
    def state(self) -> HolderState:
        """A stop is seen where the system tells a parent of it (not on macOS before Python 3.13).

        Elsewhere a stopped child keeps its lease until an attempt of it is overdue.
        """
        if self._process.returncode is not None:
            return HolderState.ENDED
        if not hasattr(os, "waitid"):
            return HolderState.RUNNING
        try:
            stopped = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # it has just ended
            return HolderState.ENDED
        return HolderState.RUNNING if stopped is None else HolderState.STOPPED

    @property
    def exit_code(self) -> int:
        """How it ended: below zero by a signal. Ask after ``run``."""
        return self._process.returncode or 0

    def terminate(self) -> None:
        """Asks it to stop, if it still runs."""
        self._signal(signal.SIGTERM)

    def hurry(self) -> None:
        """Gives it no more time: what it runs is to be given back at once."""
        self._signal(signal.SIGUSR1)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Listens to it until it has ended; calls ``on_ready`` when it says that it is."""
        listening = asyncio.create_task(self._listen(on_ready))
        try:
            await self._process.wait()
            await asyncio.wait([listening], timeout=LAST_WORDS_SECONDS)
        finally:
            listening.cancel()

    async def _listen(self, on_ready: Callable[[], None]) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=self._line)
        try:
            while said := await reader.readline():
                message = json.loads(said)
                if "ready" in message:
                    self.ready = message["ready"]
                    on_ready()
                else:
                    self.failure = ProcessFailed(**message["failed"])
        finally:
            writer.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
