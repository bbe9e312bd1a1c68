"""What can be asked of the platform's files: upload, find, delete; and the removal of bytes that no row owns.

Bytes lie in a folder that all machines share, rows in the database. A process whose folder is another one would take
files in that nobody finds, and find none itself. So the folder carries an id, the database the same one, and whoever
touches bytes compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid4, uuid7

from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Conflict, FieldProblem, FileStoreElsewhere, NotFound, Unavailable, ValidationFailed
from perdure.models.file import File
from perdure.repositories.file_repository import FileRepository
from perdure.storage.base import FileStore

UPLOAD_SECONDS = 7 * 86_400
"""An upload that takes longer is given up, and what was written of it removed."""
SWEEP_BATCH = 100


class FileCommands:
    """The verbs of files, each its own unit of work."""

    def __init__(self, database: Database, store: FileStore, wakeup: Wakeup) -> None:
        self._database = database
        self._wakeup = wakeup
        self.store = store

    async def establish(self) -> None:
        """Makes this process's folder the platform's file store, if none is; ``FileStoreElsewhere`` if another is."""
        store_id = await self.store_id()
        if store_id is None:
            async with self._database.transaction() as connection:
                files = FileRepository(connection)
                store_id = await files.lock_store()
                if store_id is None:
                    store_id = await asyncio.to_thread(self._mark)
                    await files.make_store(store_id)
        await self._require(store_id)

    async def store_id(self) -> UUID | None:
        async with self._database.snapshot() as connection:
            return await FileRepository(connection).store_id()

    async def upload(
        self, chunks: AsyncIterator[bytes], *, name: str, content_type: str, expected: Mapping[str, str]
    ) -> File:
        """Stores what ``chunks`` bring and returns the file, once its row is committed.

        ``expected`` holds the SHA-256 that the sender named, by the field that named it: where one differs from what
        arrived, it is a ``ValidationFailed`` and nothing is kept.
        """
        await self.establish()
        file_id = uuid7()
        await self.note(file_id, UPLOAD_SECONDS)
        try:
            stored = await self.store.write(file_id, chunks)
            _compare(stored.sha256, expected)
            file = File(
                file_id=file_id,
                name=name,
                content_type=content_type,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                created_at=self.now(),
            )
            async with self._database.transaction() as connection:
                await FileRepository(connection).add([file])
        except Exception:
            await self.discard([file_id])
            raise
        return file

    async def find(self, file_id: UUID) -> tuple[File, Path]:
        """The file and where its bytes lie."""
        async with self._database.snapshot() as connection:
            files = FileRepository(connection)
            file, store_id = await files.get(file_id), await files.store_id()
        if file is not None:
            await self._require(store_id)
        path = self.store.path(file_id)
        if file is None or not await asyncio.to_thread(path.is_file):
            raise NotFound("There is no file with this id.")
        return file, path

    async def delete(self, file_id: UUID) -> None:
        """Deletes the file, unless a job that is not final names it."""
        async with self._database.transaction() as connection:
            files = FileRepository(connection)
            if not await files.lock(file_id):
                raise NotFound("There is no file with this id.")
            if await files.is_awaited(file_id):
                raise Conflict("A job that is not final names this file. Cancel the job, or wait for its end.")
            await files.remove([file_id])
        self._wakeup.ring(Topic.FILE_REMOVALS)

    def now(self) -> datetime:
        """The database's time."""
        return self._database.clock.now()

    async def note(self, file_id: UUID, seconds: float) -> None:
        """Announces bytes: in ``seconds`` they are removed, unless their row is committed by then."""
        async with self._database.transaction() as connection:
            await FileRepository(connection).note_bytes(file_id, seconds)

    async def discard(self, file_ids: Sequence[UUID]) -> None:
        """Has those of the files' bytes that no row owns removed soon, and not only when their time is up."""
        with suppress(Unavailable):
            async with self._database.transaction() as connection:
                await FileRepository(connection).hasten_removal(file_ids)
            self._wakeup.ring(Topic.FILE_REMOVALS)

    async def sweep(self) -> int:
        """Removes bytes whose time is up, of at most ``SWEEP_BATCH`` files, and returns of how many.

        ``FileStoreElsewhere`` where the folder is not the store: what is not seen must not be forgotten. What cannot
        be removed is tried again at the next sweep.
        """
        removed: list[UUID] = []
        async with self._database.transaction() as connection:
            files = FileRepository(connection)
            due = await files.lock_due(SWEEP_BATCH)
            if due:
                await self._require(await files.store_id())
            for file_id in due:
                with suppress(Unavailable):
                    await self.store.delete(file_id)
                    removed.append(file_id)
            await files.forget(removed)
        return len(removed)

    async def _require(self, store_id: UUID | None) -> None:
        if store_id is None or await asyncio.to_thread(self.store.identity) != store_id:
            raise FileStoreElsewhere(store_id)

    def _mark(self) -> UUID:
        """The id that the folder carries: it has one already where a database was made anew beside it."""
        store_id = self.store.identity()
        if store_id is None:
            store_id = uuid4()
            self.store.mark(store_id)
        return store_id


def _compare(sha256: str, expected: Mapping[str, str]) -> None:
    message = "is not the digest of the bytes that arrived. Send the file again."
    problems = [
        FieldProblem(field, message, "digest_differs") for field, wanted in expected.items() if wanted != sha256
    ]
    if problems:
        raise ValidationFailed(problems)
