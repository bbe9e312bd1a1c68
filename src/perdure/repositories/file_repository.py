"""What is known of stored files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import FileRow

_FILES = table_of(FileRow)


class FileRepository:
    """Reads and writes the rows of ``files``, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, row: Mapping[str, Any]) -> None:
        await self._connection.execute(insert(_FILES).values(**row))

    async def get(self, file_id: UUID) -> RowMapping | None:
        return (
            (await self._connection.execute(select(_FILES).where(FileRow.file_id == file_id))).mappings().one_or_none()
        )
