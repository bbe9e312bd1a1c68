"""What a file store is. Files are named by ids of ours; what people call them is known to the database alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
    """Keeps files. All or nothing: a file is there whole, or not at all."""

    async def write(self, file_id: UUID, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Stores what ``chunks`` bring, in bounded memory. Raises ``Unavailable`` when it cannot (disk full)."""
        ...

    def path(self, file_id: UUID) -> Path:
        """Where the file lies, whether or not it is there."""
        ...
