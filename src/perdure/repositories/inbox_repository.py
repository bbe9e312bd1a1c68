"""The mails that the local inbox caught; the oldest go when there are too many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import InboxMessageRow

KEPT_MESSAGES = 500

_INBOX = table_of(InboxMessageRow)


class InboxRepository:
    """Reads and writes the rows of ``inbox_messages``, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, row: Mapping[str, Any]) -> None:
        """Keeps a mail, and of all mails the newest ``KEPT_MESSAGES`` (ids are time-ordered)."""
        await self._connection.execute(insert(_INBOX).values(**row))
        oldest_kept = (
            select(InboxMessageRow.message_id)
            .order_by(InboxMessageRow.message_id.desc())
            .offset(KEPT_MESSAGES - 1)
            .limit(1)
            .scalar_subquery()
        )
        await self._connection.execute(delete(_INBOX).where(InboxMessageRow.message_id < oldest_kept))

    async def newest(self, limit: int, before: UUID | None = None) -> Sequence[RowMapping]:
        """Up to ``limit`` mails, newest first, older than the id ``before``."""
        query = select(_INBOX).order_by(InboxMessageRow.message_id.desc()).limit(limit)
        if before is not None:
            query = query.where(InboxMessageRow.message_id < before)
        return (await self._connection.execute(query)).mappings().all()

    async def get(self, message_id: UUID) -> RowMapping | None:
        query = select(_INBOX).where(InboxMessageRow.message_id == message_id)
        return (await self._connection.execute(query)).mappings().one_or_none()
