"""Reads and writes what is known of files: their rows, the jobs that name them, and which bytes are to be removed.

Bytes and rows cannot be written in one transaction. So every byte that no row owns has a note in ``file_removals``:
made before the bytes are written, gone with the transaction that adds the row, made again by the one that removes
it. Only bytes with a note are ever removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, exists, select, text
from sqlalchemy import insert as insert_one
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of, table_of
from perdure.db.models import FileRemovalRow, FileRow, FileStoreRow, JobFileRow, JobRow
from perdure.models.file import File, FileRole
from perdure.models.lifecycle import FINAL
from perdure.repositories.statements import NOW, insert

_FILES = table_of(FileRow)
_FILE_COLUMNS = columns_of(FileRow)
_JOB_FILES = table_of(JobFileRow)
_STORE = table_of(FileStoreRow)
_FINAL_VALUES = [status.value for status in FINAL]

# The bytes get their owner and lose their note at one stroke.
_ADD = text(f"""
    WITH added AS ({insert("perdure.files", _FILE_COLUMNS)})
    DELETE FROM perdure.file_removals WHERE file_id = ANY (CAST(:file_id AS uuid[]))
""")

# A file that a job links to cannot be deleted before the link is committed: whoever deletes waits for this lock, and
# then sees the link.
_LOCK_NAMED = text("""
    SELECT file_id FROM perdure.files WHERE file_id = ANY (CAST(:file_ids AS uuid[]))
    ORDER BY file_id FOR KEY SHARE
""")

_LINK = text(insert("perdure.job_files", columns_of(JobFileRow), "ON CONFLICT DO NOTHING"))

# The rows go, the links go, and the bytes are noted for removal, all or nothing.
_REMOVE = text("""
    WITH removed AS (DELETE FROM perdure.files WHERE file_id = ANY (CAST(:file_ids AS uuid[])) RETURNING file_id),
         unlinked AS (DELETE FROM perdure.job_files WHERE file_id = ANY (CAST(:file_ids AS uuid[])))
    INSERT INTO perdure.file_removals (file_id, due_at) SELECT file_id, clock_timestamp() FROM removed
    ON CONFLICT (file_id) DO UPDATE SET due_at = excluded.due_at
""")

# Locked first and looked at after: a link that was committed meanwhile is seen by the second statement.
_LOCK_OLD = text("""
    SELECT file.file_id FROM perdure.files AS file
    WHERE file.created_at < :before
      AND NOT EXISTS (SELECT FROM perdure.job_files AS link WHERE link.file_id = file.file_id)
    ORDER BY file.file_id LIMIT :limit
    FOR UPDATE OF file SKIP LOCKED
""")
_NAMED_AMONG = text("SELECT file_id FROM perdure.job_files WHERE file_id = ANY (CAST(:file_ids AS uuid[]))")

_NOTE = text("""
    INSERT INTO perdure.file_removals (file_id, due_at)
    VALUES (:file_id, clock_timestamp() + make_interval(secs => :seconds))
""")

# Files that got their row have no note any more, and are left alone.
_HASTEN = text("""
    UPDATE perdure.file_removals SET due_at = clock_timestamp() WHERE file_id = ANY (CAST(:file_ids AS uuid[]))
""")

# Each for one sweeper only.
_LOCK_DUE = text(f"""
    SELECT file_id FROM perdure.file_removals WHERE due_at <= {NOW}
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")

# Two first servers make one store between them: the second waits here, and then finds it.
_ONE_AT_A_TIME = text("LOCK TABLE perdure.file_store IN SHARE ROW EXCLUSIVE MODE")


class FileRepository:
    """Files, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def store_id(self) -> UUID | None:
        """Which folder is the platform's file store: the one that carries this id. None until there is one."""
        return (await self._connection.execute(select(_STORE.c.store_id))).scalar_one_or_none()

    async def lock_store(self) -> UUID | None:
        """The same; nobody else may make the store until this transaction ends."""
        await self._connection.execute(_ONE_AT_A_TIME)
        return await self.store_id()

    async def make_store(self, store_id: UUID) -> None:
        await self._connection.execute(insert_one(_STORE).values(singleton=1, store_id=store_id))

    async def note_bytes(self, file_id: UUID, seconds: float) -> None:
        """Notes that bytes are about to be written: in ``seconds`` they are removed, unless they have a row by then."""
        await self._connection.execute(_NOTE, {"file_id": file_id, "seconds": seconds})

    async def add(self, files: Sequence[File]) -> None:
        """Adds the rows of files whose bytes are written."""
        await self._connection.execute(
            _ADD, {column.name: [getattr(file, column.name) for file in files] for column in _FILE_COLUMNS}
        )

    async def get(self, file_id: UUID) -> File | None:
        row = (await self._connection.execute(select(_FILES).where(FileRow.file_id == file_id))).mappings().first()
        return None if row is None else _file(row)

    async def lock_named(self, file_ids: Iterable[UUID]) -> set[UUID]:
        """Those of the ids that are files; none of these can be deleted until this transaction ends."""
        return set((await self._connection.execute(_LOCK_NAMED, {"file_ids": list(file_ids)})).scalars())

    async def link(self, links: Sequence[tuple[UUID, UUID]], role: FileRole) -> None:
        """Notes, for each (job_id, file_id), what the file is to the job."""
        job_ids, file_ids = zip(*links, strict=True)
        await self._connection.execute(
            _LINK, {"job_id": list(job_ids), "file_id": list(file_ids), "role": [role.value] * len(links)}
        )

    async def of_job(self, job_id: UUID) -> list[tuple[File, FileRole]]:
        """The files that the job names, and those that it saved, oldest first."""
        query = (
            select(_FILES, JobFileRow.role)
            .join(_JOB_FILES, JobFileRow.file_id == FileRow.file_id)
            .where(JobFileRow.job_id == job_id)
            .order_by(FileRow.file_id)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [(_file(row), FileRole(row["role"])) for row in rows]

    async def lock(self, file_id: UUID) -> bool:
        """Whether there is such a file; then no job can come to name it until this transaction ends."""
        query = select(FileRow.file_id).where(FileRow.file_id == file_id).with_for_update()
        return (await self._connection.execute(query)).first() is not None

    async def is_awaited(self, file_id: UUID) -> bool:
        """Whether a job that is not final names it."""
        query = (
            select(JobFileRow.job_id)
            .join(table_of(JobRow), JobRow.job_id == JobFileRow.job_id)
            .where(
                JobFileRow.file_id == file_id,
                JobFileRow.role == FileRole.INPUT.value,
                JobRow.status.not_in(_FINAL_VALUES),
            )
        )
        return bool((await self._connection.execute(select(exists(query)))).scalar_one())

    async def remove(self, file_ids: Sequence[UUID]) -> None:
        """Removes the rows of locked files. Their bytes are noted: whoever sweeps removes them after the commit."""
        await self._connection.execute(_REMOVE, {"file_ids": list(file_ids)})

    async def delete_unnamed(self, before: datetime, limit: int) -> list[UUID]:
        """Removes up to ``limit`` files made before that moment that no job names (any more); returns their ids.

        As with ``remove``, their bytes follow after the commit.
        """
        old = list((await self._connection.execute(_LOCK_OLD, {"before": before, "limit": limit})).scalars())
        named = set((await self._connection.execute(_NAMED_AMONG, {"file_ids": old})).scalars())
        unnamed = [file_id for file_id in old if file_id not in named]
        await self.remove(unnamed)
        return unnamed

    async def hasten_removal(self, file_ids: Sequence[UUID]) -> None:
        """Makes those of the ids whose bytes no row owns due for removal now."""
        await self._connection.execute(_HASTEN, {"file_ids": list(file_ids)})

    async def lock_due(self, limit: int) -> list[UUID]:
        """Up to ``limit`` ids whose bytes are due for removal, locked for the caller, who removes them."""
        return list((await self._connection.execute(_LOCK_DUE, {"limit": limit})).scalars())

    async def forget(self, file_ids: Sequence[UUID]) -> None:
        """Takes the notes of removed bytes away."""
        await self._connection.execute(delete(table_of(FileRemovalRow)).where(FileRemovalRow.file_id.in_(file_ids)))


def _file(row: RowMapping) -> File:
    facts: dict[str, Any] = {column.name: row[column.name] for column in _FILE_COLUMNS}
    return File(**facts)
