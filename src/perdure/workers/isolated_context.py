"""What a processor is given in a child process: the same ``JobContext``, which asks the worker for what it needs."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from perdure.errors import Unavailable
from perdure.models.file import ANY_BYTES
from perdure.models.job_log import ROOM_OF_A_RUN, Level, LogLevel, shortened
from perdure.models.outcome import storable
from perdure.processors.base import NotRetryable
from perdure.processors.blocking import refuse_in_event_loop
from perdure.processors.stopping import Interrupted
from perdure.workers.isolation_protocol import Channel, Message

_RAISED: dict[str, Callable[[str], Exception]] = {
    "NotRetryable": NotRetryable,
    "AttemptEnded": Interrupted,
    "Unavailable": Unavailable,
    "FileStoreElsewhere": Unavailable,
}
"""What the worker's refusals are raised as here; any other is a ``RuntimeError``."""
_BLOCK_BYTES = 1_048_576
_SHOWN_CHARACTERS = 1_000
"""More of a progress message than is kept, and less than would burden the connection."""


class IsolatedContext:
    """The ``JobContext`` of one attempt. Its methods may be called from any thread."""

    def __init__(self, job_id: UUID, attempt: int, channel: Channel, spool: Path) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.has_seen_stop = False
        self._channel = channel
        self._spool = spool
        self._lock = threading.RLock()
        self._is_stopped = False
        self._interrupt: Callable[[], object] = lambda: None
        self._numbers = itertools.count(1)
        self._asked: dict[int, Future[Any]] = {}
        self._untold: Message | None = None
        self._is_telling = False
        self._logged = 0
        self._unlogged = 0

    @property
    def cancelled(self) -> bool:
        if not self._is_stopped:
            return False
        self.has_seen_stop = True
        return True

    def progress(self, percent: float, message: str | None = None) -> None:
        """Tells the worker, or keeps the latest until it has heard the one before: a flood costs it nothing."""
        shown = None if message is None else storable(message[:_SHOWN_CHARACTERS])
        told = {"kind": "progress", "percent": min(max(0.0, float(percent)), 100.0), "message": shown}
        with self._lock:
            if self._is_telling:
                self._untold = told
            else:
                self._is_telling = True
                self._channel.send(told)

    def log(self, message: str, *, level: Level = "info") -> None:
        """Tells the worker each line at once, so that a crash loses none; what can be kept by no means is counted."""
        known, said = LogLevel(level).value, str(message)
        with self._lock:
            if self._logged >= ROOM_OF_A_RUN.half.lines:
                self._unlogged += 1
            else:
                self._logged += 1
                self._channel.send({"kind": "log", "level": known, "message": shortened(said)})

    def input_path(self, file_id: str) -> Path:
        return Path(self._ask("input_path", file_id=file_id))

    @contextmanager
    def open_input(self, file_id: str) -> Iterator[BinaryIO]:
        with self.input_path(file_id).open("rb") as file:
            yield file

    def save_output(self, name: str, source: bytes | Path | BinaryIO, *, content_type: str = ANY_BYTES) -> str:
        """Puts the bytes where the worker can take them from, and waits until it has."""
        refuse_in_event_loop()
        if isinstance(source, Path):
            with source.open("rb"):  # what is wrong with it is raised here
                return self._save(name, source.absolute(), content_type)
        stream = BytesIO(source) if isinstance(source, bytes) else source
        with tempfile.NamedTemporaryFile(dir=self._spool) as spooled:
            shutil.copyfileobj(stream, spooled, _BLOCK_BYTES)
            spooled.flush()
            return self._save(name, Path(spooled.name), content_type)

    def on_stop(self, interrupt: Callable[[], object]) -> None:
        """Has ``interrupt`` called when the attempt is told to stop, or at once if it was."""
        with self._lock:
            self._interrupt = interrupt
            if self._is_stopped:
                interrupt()

    def hear(self, message: Message) -> None:
        """Takes what the worker says of the attempt."""
        match message["kind"]:
            case "stop":
                with self._lock:
                    self._is_stopped = True
                    self._interrupt()
            case "heard":
                with self._lock:
                    self._is_telling = False
                    self._tell_untold()
            case "answer":
                self._answered(message)

    def close(self) -> None:
        """Tells the last progress, and how much was not logged: the attempt has ended."""
        with self._lock:
            self._tell_untold()
            if self._unlogged:
                self._channel.send({"kind": "unlogged", "count": self._unlogged})

    def _tell_untold(self) -> None:
        if self._untold is not None:
            self._channel.send(self._untold)
            self._untold, self._is_telling = None, True

    def _save(self, name: str, path: Path, content_type: str) -> str:
        return str(self._ask("save_output", name=name, path=str(path), content_type=content_type))

    def _ask(self, what: str, **details: str) -> Any:
        number = next(self._numbers)
        asked = self._asked[number] = Future()
        self._channel.send({"kind": "ask", "what": what, "number": number, "details": details})
        return asked.result()

    def _answered(self, message: Message) -> None:
        asked = self._asked.pop(message["number"])
        if message["error"] is None:
            asked.set_result(message["value"])
            return
        kind, text = message["error"]
        asked.set_exception(_RAISED[kind](text) if kind in _RAISED else RuntimeError(f"{kind}: {text}"))
