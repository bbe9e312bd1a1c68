"""The program of a child process: runs the attempts of one processor, one after another, as its worker asks.

``python -P -m perdure.workers.isolated DESCRIPTOR PARENT JOB_TYPE``: the socket to the worker, the worker's process id,
and the job type. It imports what the processor's module needs, and neither database nor web framework. It never
outlives its worker.
"""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import io
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import UUID

from perdure.models.outcome import Outcome
from perdure.processors.base import Processor
from perdure.processors.registry import processor_in
from perdure.workers.calling import arguments_of, call, call_async
from perdure.workers.isolated_context import IsolatedContext
from perdure.workers.isolation_protocol import Channel, Message, outcome_message
from perdure.workers.outcomes import raised

_PR_SET_PDEATHSIG = 1
_MIB = 1_048_576


def main() -> None:
    descriptor, parent, job_type = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _end_with(parent)
    os.set_inheritable(descriptor, False)  # what the processor starts must not keep the connection open
    _prepare_streams()
    for one in (signal.SIGINT, signal.SIGTERM):  # the worker drains: it says when, and kills what does not end
        signal.signal(one, lambda *_: None)
    channel = Channel(socket.socket(fileno=descriptor))
    start = channel.receive()
    if start is None:
        return
    try:
        isolated = _started(channel, start, job_type)
    except BaseException as error:  # noqa: BLE001 (whatever its module raises here, and did not in the worker)
        channel.send(outcome_message(raised(job_type, error)))
        return
    channel.send({"kind": "ready"})
    isolated.serve()


class Isolated:
    """Takes attempts from the worker, until that ends the connection."""

    def __init__(self, channel: Channel, processor: Processor, spool: Path, *, logs_as_worker: bool) -> None:
        self._channel = channel
        self._processor = processor
        self._spool = spool
        self._logs_as_worker = logs_as_worker
        self._given: queue.SimpleQueue[tuple[IsolatedContext, Message] | None] = queue.SimpleQueue()
        self._current: IsolatedContext | None = None

    def serve(self) -> None:
        threading.Thread(target=self._listen, name="perdure-worker", daemon=True).start()
        with asyncio.Runner() as runner, suppress(BrokenPipeError):
            while (given := self._given.get()) is not None:
                context, message = given
                outcome = copy_context().run(self._attempt, runner, context, message)
                context.close()
                self._current = None
                self._channel.send(outcome_message(outcome) | {"has_seen_stop": context.has_seen_stop})

    def _listen(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                if message["kind"] == "run":
                    job_id, attempt = UUID(message["job_id"]), message["attempt"]
                    self._current = IsolatedContext(job_id, attempt, self._channel, self._spool)
                    self._given.put((self._current, message))
                elif (current := self._current) is not None:
                    current.hear(message)
        finally:
            if self._current is not None:
                os._exit(1)  # the worker is gone, and nobody waits for what runs here
            self._given.put(None)

    def _attempt(self, runner: asyncio.Runner, context: IsolatedContext, message: Message) -> Outcome:
        if self._logs_as_worker:
            from perdure.telemetry import logs

            logs.resume_attempt(message["log"])
        try:
            arguments = arguments_of(self._processor, message["payload"], context)
            if self._processor.is_async:
                attempt = call_async(self._processor, arguments, context)
                return runner.run(_interruptible(attempt, context), context=copy_context())
            return call(self._processor, arguments)
        except BaseException as error:  # noqa: BLE001 (validators are user code, and so are tasks left in the loop)
            return raised(self._processor.job_type, error)


async def _interruptible(attempt: Coroutine[Any, Any, Outcome], context: IsolatedContext) -> Outcome:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        context.on_stop(lambda: loop.call_soon_threadsafe(task.cancel))
    return await attempt


def _started(channel: Channel, start: Message, job_type: str) -> Isolated:
    """Everything as it is in the worker: what is imported from where, and how lines are logged."""
    sys.path[:] = start["path"]
    if start["memory_mb"] is not None:
        _limit_memory(start["memory_mb"] * _MIB)
    if start["logs"] is not None:
        from perdure.telemetry import logs

        logs.configure(*start["logs"])
    processor = processor_in(start["module"], job_type)
    return Isolated(channel, processor, Path(start["spool"]), logs_as_worker=start["logs"] is not None)


def _end_with(parent: int) -> None:
    """Lets the kernel kill this process when the worker ends, where it can; elsewhere the connection's end does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _prepare_streams() -> None:
    """A kill loses at most the line that is being written; a crash of native code leaves its traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    if sys.stderr is not None:
        faulthandler.enable()


def _limit_memory(size_bytes: int) -> None:
    import resource

    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = size_bytes if hardest == resource.RLIM_INFINITY else min(size_bytes, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))


if __name__ == "__main__":
    main()
