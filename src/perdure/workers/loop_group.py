"""Runs the loops of a process beside the task that serves. A loop that dies of a bug takes the process with it.

A process that lives on without its sweeper, or its completer, looks well and does nothing. So the serving task is
cancelled; it leaves in good order, as it would for a signal, and then the bug comes out as the error that it is.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from perdure.signals import LoopBroken, Signals


class LoopGroup:
    """Like an ``asyncio.TaskGroup``, but the other loops go on while the opener leaves: it needs them to drain."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._opener: asyncio.Task[Any] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.broken: BaseException | None = None
        """What the first loop died of."""

    def create_task(self, loop: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(loop)
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or self.broken is not None:
            return
        self.broken = error
        self._signals.emit(LoopBroken("".join(traceback.format_exception(error))))
        if self._opener is not None:
            self._opener.cancel()

    async def __aenter__(self) -> Self:
        self._opener = asyncio.current_task()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        opener, self._opener = self._opener, None
        if error is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.wait(self._tasks)
        if self.broken is not None:
            if isinstance(error, asyncio.CancelledError) and opener is not None:
                opener.uncancel()
            raise self.broken from None
