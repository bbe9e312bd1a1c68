"""Looks, now and then, whether this process's folder is the platform's file store, and says so once if it is not.

A worker that lacks the folder (not mounted, another data directory) runs every job but those that name files, and
takes these too as soon as the folder is there.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from perdure.core.file_commands import FileCommands
from perdure.errors import FileStoreElsewhere
from perdure.signals import FileStoreMissed, FileStoreSeen, Signals
from perdure.workers.loop import Loop

SEEN_INTERVAL_SECONDS = 10.0
MISSED_INTERVAL_SECONDS = 1.0


class StoreWatcher(Loop):
    """``sees_files`` is what the last look found. ``require`` looks again."""

    def __init__(self, signals: Signals, files: FileCommands) -> None:
        super().__init__(signals)
        self._files = files
        self._store_id: UUID | None = None
        self._said: bool | None = None
        self.sees_files = False

    async def tick(self) -> float:
        self._store_id = await self._files.store_id()
        self.sees_files = await asyncio.to_thread(self._is_here)
        if self._store_id is not None and self.sees_files is not self._said:
            if not self.sees_files:
                self._signals.emit(FileStoreMissed(self._store_id))
            elif self._said is not None:
                self._signals.emit(FileStoreSeen(self._store_id))
            self._said = self.sees_files
        return SEEN_INTERVAL_SECONDS if self.sees_files else MISSED_INTERVAL_SECONDS

    def require(self) -> None:
        """Raises ``FileStoreElsewhere`` unless the folder is the store at this moment. Blocks."""
        if not self._is_here():
            self.sees_files = False  # or the next attempts would be spent on it
            raise FileStoreElsewhere(self._store_id)

    def _is_here(self) -> bool:
        return self._store_id is not None and self._files.store.identity() == self._store_id
