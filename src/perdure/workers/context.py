"""What a processor is given while it runs: its job's identity, the stop sign, progress, a log, and its files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from perdure.core.file_commands import FileCommands
from perdure.models.file import ANY_BYTES, File
from perdure.models.job import Job
from perdure.models.job_log import Level, LogLevel
from perdure.models.outcome import storable
from perdure.processors.base import NotRetryable
from perdure.workers.attempt_log import AttemptLog
from perdure.workers.outputs import Outputs
from perdure.workers.store_watcher import StoreWatcher

MAX_PROGRESS_MESSAGE = 200

_making = threading.Lock()
"""One for all: it is held for a moment, and only by those who say or save something."""


class StopReason(Enum):
    """Why an attempt is told to stop. Only the first leaves it to the processor how it ends."""

    CANCELLED = auto()
    RELEASED = auto()
    """The worker is shutting down."""
    TIMED_OUT = auto()
    LEASE_LOST = auto()


@dataclass(frozen=True, slots=True)
class Reach:
    """What the attempts of a worker reach through their contexts. Made in the event loop's thread."""

    files: FileCommands
    watcher: StoreWatcher
    report: Callable[[Job, dict[str, Any]], None]
    log_of: Callable[[Job], AttemptLog]
    event_loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    thread: int = field(default_factory=threading.get_ident)


class AttemptContext:
    """The ``JobContext`` of one attempt. Its methods may be called from any thread.

    Its log and its outputs are made when there is something to say or to save: most attempts do neither.
    """

    __slots__ = (
        "_is_closed",
        "_job",
        "_outputs",
        "_reach",
        "attempt_log",
        "has_seen_stop",
        "last_progress",
        "stop_reason",
    )

    def __init__(self, job: Job, reach: Reach) -> None:
        self._job = job
        self._reach = reach
        self.attempt_log: AttemptLog | None = None
        self._outputs: Outputs | None = None
        self.stop_reason: StopReason | None = None
        self.has_seen_stop = False
        """Whether the processor knows that it was told to stop: it looked, or was interrupted."""
        self.last_progress: dict[str, Any] | None = None
        self._is_closed = False

    def close(self) -> list[File]:
        """Lets the attempt say no more, for it is concluded; returns the files that it saved."""
        self._is_closed = True
        if self.attempt_log is not None:
            self.attempt_log.close()
        return [] if self._outputs is None else self._outputs.close()

    @property
    def job_id(self) -> UUID:
        return self._job.job_id

    @property
    def attempt(self) -> int:
        return self._job.attempt

    @property
    def cancelled(self) -> bool:
        if self.stop_reason is None:
            return False
        self.has_seen_stop = True
        return True

    def progress(self, percent: float, message: str | None = None) -> None:
        if self._is_closed:
            return
        bounded = round(min(max(0.0, float(percent)), 100.0), 2)  # in this order, NaN is 0
        shown = None if message is None else storable(message)[:MAX_PROGRESS_MESSAGE]
        self.last_progress = {"percent": bounded, "message": shown}
        self._reach.report(self._job, self.last_progress)

    def log(self, message: str, *, level: Level = "info") -> None:
        text, kind = str(message), LogLevel(level)
        if (log := self._open_log()) is not None:
            log.say(text, kind)

    def omit_lines(self, count: int) -> None:
        """Counts lines that were left out before they came here."""
        if (log := self._open_log()) is not None:
            log.omit(count)

    def _open_log(self) -> AttemptLog | None:
        """The attempt's log; None once the attempt is concluded."""
        with _making:
            if self._is_closed:
                return None
            if self.attempt_log is None:
                self.attempt_log = self._reach.log_of(self._job)
            return self.attempt_log

    @property
    def outputs(self) -> Outputs:
        with _making:
            if self._outputs is None:
                reach = self._reach
                self._outputs = Outputs(
                    reach.files,
                    reach.watcher,
                    self._job.timeout_seconds,
                    lambda: self.cancelled,
                    event_loop=reach.event_loop,
                    thread=reach.thread,
                )
                if self._is_closed:
                    self._outputs.close()
            return self._outputs

    def input_path(self, file_id: str) -> Path:
        try:
            path = self._reach.files.store.path(UUID(file_id))
        except ValueError:
            raise NotRetryable("file must be the id of an uploaded file (POST /v1/files)") from None
        if not path.is_file():
            self._reach.watcher.require()  # else it may well be there, and another worker or a later attempt finds it
            raise NotRetryable("There is no file with this id (any more). Upload it with POST /v1/files.")
        return path

    @contextmanager
    def open_input(self, file_id: str) -> Iterator[BinaryIO]:
        with self.input_path(file_id).open("rb") as file:
            yield file

    def save_output(self, name: str, source: bytes | Path | BinaryIO, *, content_type: str = ANY_BYTES) -> str:
        return self.outputs.save(name, source, content_type)
