"""The child processes of a worker, for processors with ``isolation="process"``.

Each runs one attempt at a time, of one processor, and is used again for the next: starting an interpreter takes a third
of a second. One that was killed, crashed or ran out of memory is never used again.
"""

from __future__ import annotations

import asyncio

from perdure.models.job import Job
from perdure.models.outcome import Cancelled, Failed, Outcome
from perdure.processors.base import Processor
from perdure.workers.context import AttemptContext
from perdure.workers.isolation_process import IsolatedProcess

IDLE_SECONDS = 60.0
"""How long a child process waits for its next attempt."""
KEPT_IDLE = 2
"""So many wait longer."""


class IsolatedProcesses:
    """At most ``concurrency`` of them wait or work, so one that waits makes room for another processor's."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._all: set[IsolatedProcess] = set()
        self._idle: dict[IsolatedProcess, asyncio.TimerHandle] = {}
        """Those that wait, the longest first, and what ends their time."""
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(self, processor: Processor, job: Job, context: AttemptContext) -> Outcome:
        """Runs an attempt until it has really ended, or raises what keeps a process from starting."""
        child = self._take(processor)
        try:
            outcome = await child.ready() or await child.run(job, context)
        except asyncio.CancelledError:  # its time was shorter than a start: the next attempt finds it ready
            self._keep(child)
            return Cancelled()
        except BaseException:
            child.kill()
            raise
        if child.ended.done() or _is_out_of_memory(outcome):
            self._end(child)
        else:
            self._keep(child)
        return outcome

    async def close(self) -> None:
        """Ends all of them, and returns when nothing of them is left."""
        self._is_closed = True
        for child in tuple(self._all):
            self._end(child)
        if self._ending:
            await asyncio.wait(self._ending)

    def _take(self, processor: Processor) -> IsolatedProcess:
        """One that waits, the latest first, so that others come to their time's end; or a new one."""
        for child in reversed(self._idle):
            if child.processor is processor:
                self._idle.pop(child).cancel()
                return child
        if len(self._all) >= self._concurrency and self._idle:
            self._end(next(iter(self._idle)))
        child = IsolatedProcess(processor)
        self._all.add(child)
        child.ended.add_done_callback(lambda _: self._forget(child))
        return child

    def _keep(self, child: IsolatedProcess) -> None:
        if self._is_closed:
            self._end(child)
        elif child in self._all:
            self._idle[child] = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle, child)

    def _end_idle(self, child: IsolatedProcess) -> None:
        if len(self._idle) > KEPT_IDLE:
            self._end(child)

    def _end(self, child: IsolatedProcess) -> None:
        self._forget(child)
        task = asyncio.create_task(child.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _forget(self, child: IsolatedProcess) -> None:
        self._all.discard(child)
        timer = self._idle.pop(child, None)
        if timer is not None:
            timer.cancel()


def _is_out_of_memory(outcome: Outcome) -> bool:
    """What leaks would hit its limit at every further attempt."""
    return isinstance(outcome, Failed) and outcome.error.type == MemoryError.__name__
