"""One child process, as its worker sees it: started, given attempts one after another, killed, outlived.

It is the first of a process group, and the group is killed with it. A thread waits for its end, so that it is noticed
however it comes about and whichever loop runs here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from perdure.models.job import Job
from perdure.models.outcome import ErrorReason, Failed, JobError, Outcome, storable
from perdure.processors.base import Processor
from perdure.telemetry import logs
from perdure.workers.context import AttemptContext, StopReason
from perdure.workers.isolation_protocol import LENGTH, MAX_ANSWER_BYTES, Message, encoded, read_outcome

STOP_SECONDS = 5.0
"""How long a cancelled attempt may take to end by itself before its process is killed."""
END_SECONDS = 1.0
"""How long an idle process may take to leave."""
LAST_WORDS_SECONDS = 1.0
"""How long after its end a process may still be heard, and after its last word may still be there."""
PROGRESS_SECONDS = 0.1
"""How often an attempt is listened to when it tells its progress."""
PROGRAM = (sys.executable, "-P", "-m", "perdure.workers.isolated")

_BROKEN = "broke its connection to the worker: look for code that uses descriptors which it did not open."
_NATIVE_FAULTS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}


class IsolatedProcess:
    """``ended`` is its exit code, or the negative number of a signal. Raises ``OSError`` when it cannot be started.

    Make it in a thread that lives as long as this process: the kernel ends a child with the thread that started it.
    """

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._lock = threading.Lock()
        self._is_reaped = False
        self._is_busy = True
        self._writer: asyncio.StreamWriter | None = None
        self._spool = TemporaryDirectory(prefix="perdure-", ignore_cleanup_errors=True)
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [*PROGRAM, str(theirs.fileno()), str(os.getpid()), processor.job_type],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            self._spool.cleanup()
            raise
        finally:
            theirs.close()
        threading.Thread(target=self._watch, name=f"child-{self._process.pid}", daemon=True).start()
        self._starting = asyncio.create_task(self._start(ours))

    async def ready(self) -> Outcome | None:
        """Waits until it can run attempts, or says why it never will. It goes on starting when this is cancelled."""
        return await asyncio.shield(self._starting)

    async def run(self, job: Job, context: AttemptContext) -> Outcome:
        """Runs an attempt until it has really ended. A cancelled task is an attempt that is to stop.

        If the job was cancelled, the processor is asked to stop and killed ``STOP_SECONDS`` later; for any other
        reason it is killed at once.
        """
        self._is_busy = True
        conversation = asyncio.create_task(self._converse(job, context))
        patience: asyncio.TimerHandle | None = None
        while not conversation.done():
            try:
                await asyncio.wait([conversation])
            except asyncio.CancelledError:
                if context.stop_reason is StopReason.CANCELLED and patience is None:
                    self._send({"kind": "stop"})
                    patience = asyncio.get_running_loop().call_later(STOP_SECONDS, self._interrupt, context)
                else:
                    self._interrupt(context)
        if patience is not None:
            patience.cancel()
        self._is_busy = False
        return conversation.result()

    def kill(self) -> None:
        """Kills it and whatever it has started, at once."""
        with self._lock:
            if not self._is_reaped:
                self._kill_group()

    async def end(self) -> None:
        """Lets it leave, if it is idle, or kills it; returns when nothing of it is left."""
        if self._is_busy:
            self.kill()
        else:
            self._disconnect()
        await asyncio.wait([self.ended], timeout=END_SECONDS)
        self.kill()
        await asyncio.wait([self.ended])
        await asyncio.wait([self._starting])
        self._disconnect()
        if self._writer is not None:
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _start(self, ours: socket.socket) -> Outcome | None:
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._send(
            {
                "path": [str(one) for one in sys.path],
                "module": self.processor.function.__module__,
                "memory_mb": self.processor.memory_mb,
                "spool": self._spool.name,
                "logs": logs.configuration(),
            }
        )
        message = await self._receive()
        if message is None:
            return await self._died()
        self._is_busy = False
        return None if message["kind"] == "ready" else read_outcome(message)

    async def _converse(self, job: Job, context: AttemptContext) -> Outcome:
        answering: set[asyncio.Task[None]] = set()
        said = {"job_id": str(job.job_id), "attempt": job.attempt, "payload": job.payload, "log": logs.bound()}
        self._send({"kind": "run"} | said)
        try:
            while (message := await self._receive()) is not None:
                match message["kind"]:
                    case "outcome":
                        context.has_seen_stop = bool(message["has_seen_stop"])
                        return read_outcome(message)
                    case "progress":
                        context.progress(message["percent"], message["message"])
                        asyncio.get_running_loop().call_later(PROGRESS_SECONDS, self._send, {"kind": "heard"})
                    case "log":
                        context.log(message["message"], level=message["level"])
                    case "unlogged":
                        context.omit_lines(int(message["count"]))
                    case "ask":
                        task = asyncio.create_task(self._answer(message, context))
                        answering.add(task)
                        task.add_done_callback(answering.discard)
        except (KeyError, TypeError, ValueError):
            pass  # it says what no child of ours does
        finally:
            for task in answering:
                task.cancel()
        return await self._died()

    async def _answer(self, question: Message, context: AttemptContext) -> None:
        details = question["details"]
        error = value = None
        try:
            if question["what"] == "input_path":
                value = str(await asyncio.to_thread(context.input_path, details["file_id"]))
            else:
                name, path, content_type = details["name"], Path(details["path"]), details["content_type"]
                value = await asyncio.to_thread(context.save_output, name, path, content_type=content_type)
        except Exception as raised:  # noqa: BLE001 (it is raised there)
            error = (type(raised).__name__, storable(str(raised)))
        self._send({"kind": "answer", "number": question["number"], "value": value, "error": error})

    def _send(self, message: Message) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encoded(message))

    async def _receive(self) -> Message | None:
        """The next message; None when there will be no more. Raises ``ValueError`` for what is none."""
        try:
            length = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))[0]
            if length > MAX_ANSWER_BYTES:
                raise ValueError("a message that no child of ours sends")
            message: Message = orjson.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return message

    async def _died(self) -> Outcome:
        """What the attempt comes to whose process says nothing more."""
        await asyncio.wait([self.ended], timeout=LAST_WORDS_SECONDS)
        how = _end_of(self.ended.result()) if self.ended.done() else _BROKEN
        self.kill()
        await self.ended
        self._disconnect()
        return Failed(JobError(ErrorReason.WORKER_LOST, "ProcessDied", f"The process of the attempt {how}"))

    def _interrupt(self, context: AttemptContext) -> None:
        context.has_seen_stop = True
        self.kill()

    def _disconnect(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _watch(self) -> None:
        """Waits for its end, in a thread. Its id is nobody else's before the group is gone."""
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS before Python 3.13
            self._process.wait()
        with self._lock:
            self._kill_group()
            code = self._process.wait()
            self._is_reaped = True
        self._spool.cleanup()
        with suppress(RuntimeError):  # the loop was closed
            self.ended.get_loop().call_soon_threadsafe(self._note_end, code)

    def _note_end(self, code: int) -> None:
        self.ended.set_result(code)
        if self._is_busy:  # what it said last may not have been read yet
            self.ended.get_loop().call_later(LAST_WORDS_SECONDS, self._disconnect)
        else:
            self._disconnect()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses it for what has ended
            os.killpg(self._process.pid, signal.SIGKILL)


def _end_of(code: int) -> str:
    """How it ended, and what to look at."""
    if code >= 0:
        return f"ended with exit code {code}: look for os._exit in the processor and in the libraries that it uses."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        return f"died of {name}: most often that is the kernel, out of memory; its log says so."
    if -code in _NATIVE_FAULTS:
        return f"died of {name}: native code failed; the traceback stands in the standard error of the worker."
    return f"died of {name}: look for who sent it."
