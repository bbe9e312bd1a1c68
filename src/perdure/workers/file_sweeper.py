"""Removes bytes of the file store that no row owns: of attempts and uploads that crashed, and of deleted files.

Any process whose folder is the store may sweep: what one has locked, the others pass over.
"""

from __future__ import annotations

from perdure.core.file_commands import SWEEP_BATCH, FileCommands
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import FileStoreElsewhere
from perdure.signals import Signals
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 60.0


class FileSweeper(Loop):
    def __init__(self, signals: Signals, wakeup: Wakeup, files: FileCommands) -> None:
        super().__init__(signals, wakeup.event(Topic.FILE_REMOVALS))
        self._files = files

    async def tick(self) -> float:
        try:
            swept = await self._files.sweep()
        except FileStoreElsewhere:  # another process's business
            return INTERVAL_SECONDS
        return 0.0 if swept == SWEEP_BATCH else INTERVAL_SECONDS
