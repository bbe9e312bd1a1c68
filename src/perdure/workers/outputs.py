"""What one attempt saves: bytes at once, rows only with its success.

The bytes are announced in the database before they are written. The rows wait for the transaction in which the job
becomes SUCCEEDED; an attempt that comes to anything else leaves none, and its bytes are removed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import wait
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from uuid_utils.compat import uuid7

from perdure.core.file_commands import FileCommands
from perdure.models.file import File, is_file_name, media_type
from perdure.processors.base import NotRetryable
from perdure.workers.store_watcher import StoreWatcher

BLOCK_BYTES = 1_048_576
GRACE_SECONDS = 86_400
"""How long after the attempt's last moment its bytes wait for a worker that cannot reach the database."""
_LOOK_SECONDS = 0.2


class AttemptEnded(Exception):
    """The attempt was told to stop. Its outcome is decided already; nobody reads this one."""


class Outputs:
    """``save`` may be called from any thread but the event loop's own, ``thread``; ``close`` ends it."""

    def __init__(
        self,
        files: FileCommands,
        watcher: StoreWatcher,
        timeout_seconds: float,
        stopped: Callable[[], bool],
        *,
        event_loop: asyncio.AbstractEventLoop,
        thread: int,
    ) -> None:
        self._files = files
        self._watcher = watcher
        self._keep_seconds = timeout_seconds + GRACE_SECONDS
        self._stopped = stopped
        self._event_loop = event_loop
        self._thread = thread
        self._lock = threading.Lock()
        self._saved: list[File] = []
        self._closed = False

    def save(self, name: str, source: bytes | Path | BinaryIO, content_type: str) -> str:
        if threading.get_ident() == self._thread:
            raise RuntimeError("save_output blocks: call it with `await asyncio.to_thread(ctx.save_output, …)`.")
        if not is_file_name(name):
            raise NotRetryable("An output's name has 1 to 255 characters, and no slash, backslash or control character")
        self._watcher.require()
        file_id = uuid7()
        self._awaited(self._files.note(file_id, self._keep_seconds))
        stored = self._files.store.save(file_id, self._blocks(source))
        file = File(
            file_id=file_id,
            name=name,
            content_type=media_type(content_type),
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            created_at=self._files.now(),
        )
        with self._lock:
            if self._closed:  # its bytes are swept
                raise AttemptEnded
            self._saved.append(file)
        return str(file_id)

    def close(self) -> list[File]:
        """What was saved. Nothing more is."""
        with self._lock:
            self._closed = True
            return self._saved

    def _blocks(self, source: bytes | Path | BinaryIO) -> Iterator[bytes]:
        if isinstance(source, Path):
            with source.open("rb") as file:
                yield from self._blocks(file)
            return
        stream = BytesIO(source) if isinstance(source, bytes) else source
        while block := stream.read(BLOCK_BYTES):
            if self._stopped():
                raise AttemptEnded
            yield block

    def _awaited(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Waits for the loop to run it, but not longer than the attempt lasts: a loop that stops runs nothing more."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._event_loop)
        while not wait([future], _LOOK_SECONDS).done:
            if self._stopped():
                future.cancel()
                raise AttemptEnded
        future.result()
