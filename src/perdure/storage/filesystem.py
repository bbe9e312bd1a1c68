"""Files in a folder. Written under a temporary name, synced, then renamed: a crash leaves no half file in sight.

Names on disk come from our ids alone, never from what was sent.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from anyio import to_thread

from perdure.errors import Unavailable
from perdure.storage.base import StoredFile

BLOCK_BYTES = 1_048_576
"""Chunks of the network are gathered to this size before a thread writes them."""
TEMPORARY_SUFFIX = ".partial"


class FilesystemStore:
    """A file store in the folder ``root``, which servers and workers must share."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def path(self, file_id: UUID) -> Path:
        name = str(file_id)
        return self._root / name[-2:] / name

    async def write(self, file_id: UUID, chunks: AsyncIterator[bytes]) -> StoredFile:
        target = self.path(file_id)
        temporary = target.with_name(f"{target.name}.{uuid4().hex}{TEMPORARY_SUFFIX}")
        try:
            with await to_thread.run_sync(_create, temporary) as file:
                try:
                    stored = await _copy(chunks, file)
                    await to_thread.run_sync(_publish, file, temporary, target)
                finally:
                    temporary.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(
                f"The file store cannot take the file ({error.strerror}). Check its disk and its permissions; "
                "nothing was kept of this upload."
            ) from error
        return stored

    def sweep_temporary(self, older_than_seconds: float) -> int:
        """Removes what crashed uploads left, if it was not written to for so long; returns how many."""
        limit = time.time() - older_than_seconds
        stale = [path for path in self._root.glob(f"*/*{TEMPORARY_SUFFIX}") if path.stat().st_mtime < limit]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("xb", buffering=0)


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO) -> StoredFile:
    digest = hashlib.sha256()
    size = 0
    block = bytearray()
    async for chunk in chunks:
        block += chunk
        if len(block) >= BLOCK_BYTES:
            full, block = block, bytearray()
            size += len(full)
            await to_thread.run_sync(_write, file, full, digest)
    await to_thread.run_sync(_write, file, block, digest)
    return StoredFile(size + len(block), digest.hexdigest())


def _write(file: BinaryIO, block: bytearray, digest: hashlib._Hash) -> None:
    digest.update(block)
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _publish(file: BinaryIO, temporary: Path, target: Path) -> None:
    """Makes the file visible under its name once its bytes, and then the name itself, are on disk."""
    os.fsync(file.fileno())
    temporary.rename(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
