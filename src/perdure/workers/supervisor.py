"""The parent of worker processes: starts them, replaces those that end, passes the stop signal on.

It runs no job and imports no processor, so that nothing a processor does can stop it from renewing the leases of its
children (``workers/renewer.py``, which it tells of their ends). A child notices the parent's end, however it came, by
the end of the line between them: none is left behind by a kill -9.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from perdure.workers.child import Child
from perdure.workers.lease_holder import HolderState
from perdure.workers.stopping import WORN_OUT, stop_signals

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A child that lived so long died of something new: the pauses begin anew."""
STOP_GRACE_SECONDS = 10.0
"""How long a child may take to end once its attempts have had their time; then it is killed."""


class Supervisor:
    """Keeps a process of each of ``commands`` running while the block lasts, until told to stop (SIGINT, SIGTERM).

    ``ended`` is told of each one that ended by itself: its number, how it ended, and after how many seconds it is
    replaced. ``children`` are those that run, and those that ended whose lease nobody has given up yet; ``changed`` is
    set when one begins or ends.
    """

    def __init__(
        self, commands: Sequence[Sequence[str]], *, drain_seconds: float, ended: Callable[[int, str, float], None]
    ) -> None:
        self.children: list[Child] = []
        self.changed = asyncio.Event()
        self.failed: Child | None = None
        """The child whose error ended everything: before all had ever been ready, it is the user's to mend."""
        self._commands = commands
        self._stop_seconds = drain_seconds + STOP_GRACE_SECONDS
        self._ended = ended
        self._ready: dict[int, dict[str, Any]] = {}
        self._settled = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stops = 0
        self._signals = ExitStack()
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._signals.enter_context(stop_signals(self.stop))
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(len(self._commands))]
        await asyncio.sleep(0)  # the processes start, whatever this one does next
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, _trace: TracebackType | None) -> None:
        with self._signals:
            if not self._stopping.is_set():
                self.stop()
            await self.all_ended()

    async def all_ready(self) -> list[dict[str, Any]]:
        """What each said when it was ready, once all were; nothing when they were stopped before."""
        await self._settled.wait()
        return [] if self._stopping.is_set() else [said for _, said in sorted(self._ready.items())]

    async def all_ended(self) -> None:
        """Returns when every process has ended and none is to follow."""
        await asyncio.gather(*self._keepers)

    def stop(self) -> None:
        """Has every child drain and end; called again, it gives them no more time, and then kills them."""
        self._stops += 1
        match self._stops:
            case 1:
                self._stopping.set()
                self._settled.set()
                self._tell_all(Child.terminate, self._stop_seconds)
            case 2:
                self._tell_all(Child.hurry, STOP_GRACE_SECONDS)
            case _:
                self._kill_all()

    async def _keep(self, number: int) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            end, is_worn_out = await self._run_child(number)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - started > HEALTHY_SECONDS else pause
            self._ended(number, end, 0.0 if is_worn_out else pause)
            if is_worn_out:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run_child(self, number: int) -> tuple[str, bool]:
        """Runs one process to its end; returns how that came, and whether it wants to be replaced at once."""
        try:
            child = await Child.start(self._commands[number])
        except OSError as error:  # out of memory or processes: no reason to stop trying
            return f"not started: {error.strerror}", False
        self.children[:] = [one for one in self.children if one.state is not HolderState.ENDED or one.page.worker_id]
        self.children.append(child)
        self.changed.set()  # it begins once somebody attends to its lease
        if self._stopping.is_set():  # it came between
            child.terminate()
        await child.run(lambda: self._is_ready(number, child))
        self.changed.set()
        code = child.exit_code
        if code > 0 and not self._settled.is_set():
            self.failed = child
            self.stop()
        return _end(child), code == WORN_OUT

    def _is_ready(self, number: int, child: Child) -> None:
        self._ready[number] = child.ready or {}
        if len(self._ready) == len(self._commands):
            self._settled.set()

    def _tell_all(self, what: Callable[[Child], None], patience_seconds: float) -> None:
        for child in self.children:
            what(child)
        asyncio.get_running_loop().call_later(patience_seconds, self._kill_all)

    def _kill_all(self) -> None:
        for child in self.children:
            child.kill()


def _end(child: Child) -> str:
    if child.exit_code < 0:
        return signal.Signals(-child.exit_code).name
    why = "" if child.failure is None else f": {child.failure.detail}"
    return f"exit code {child.exit_code}{why}"
