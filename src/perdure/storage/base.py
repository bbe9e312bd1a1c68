"""What a file store is. Files are named by ids of ours; what people call them is known to the database alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What was written: its size in bytes and its SHA-256 in hex."""

    size_bytes: int
    sha256: str


class FileStore(Protocol):
    """Keeps files. All or nothing: a file is there whole, or not at all. An id is written once."""

    def identity(self) -> UUID | None:
        """The id that the store carries, or None for one that carries none or cannot be read. Blocks.

        It is compared with the one in the database: so a process whose folder is not the one that the others share
        is noticed.
        """
        ...

    def mark(self, store_id: UUID) -> None:
        """Lets the store carry ``store_id`` from now on. Blocks. Raises ``Unavailable`` when it cannot be written."""
        ...

    async def write(self, file_id: UUID, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Stores what ``chunks`` bring, in bounded memory. Raises ``Unavailable`` when it cannot (disk full).

        An error of ``chunks`` is passed on. Whatever ends it early, a cancellation too, leaves nothing behind.
        """
        ...

    def save(self, file_id: UUID, blocks: Iterable[bytes]) -> StoredFile:
        """``write`` for a caller that may block: it stores what ``blocks`` bring, in the caller's own thread."""
        ...

    def path(self, file_id: UUID) -> Path:
        """Where the file lies, whether or not it is there."""
        ...

    def read(self, file_id: UUID, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` on, ``length`` of them or up to the end, piece by piece.

        Raises ``NotFound`` at the first piece if there is no such file.
        """
        ...

    async def delete(self, file_id: UUID) -> None:
        """Removes the file, or what a crash left of it. One that is gone already is as good as removed."""
        ...

    async def check(self) -> None:
        """Raises ``Unavailable`` unless a file could be written just now."""
        ...
