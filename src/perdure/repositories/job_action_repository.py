"""Actions as they are stored: asked for, taken for a batch, put back one batch further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import JobActionRow
from perdure.models.job_action import ActionStatus, ActionVerb, JobAction

_ACTIONS = table_of(JobActionRow)


class JobActionRepository:
    """The actions, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, action: JobAction) -> None:
        await self._connection.execute(insert(_ACTIONS).values(asdict(action)))

    async def get(self, action_id: UUID) -> JobAction | None:
        return await self._one(select(_ACTIONS).where(JobActionRow.action_id == action_id))

    async def newest(self, before: UUID | None, limit: int) -> Sequence[JobAction]:
        """Up to ``limit`` actions, newest first, older than the id ``before``."""
        query = select(_ACTIONS).order_by(JobActionRow.action_id.desc()).limit(limit)
        if before is not None:
            query = query.where(JobActionRow.action_id < before)
        return [_action(row) for row in (await self._connection.execute(query)).mappings()]

    async def lock(self, action_id: UUID) -> JobAction | None:
        """The action, held until the transaction ends: between two batches."""
        return await self._one(select(_ACTIONS).where(JobActionRow.action_id == action_id).with_for_update())

    async def take(self) -> JobAction | None:
        """The running action that waits longest for its next batch, held until the transaction ends.

        One that somebody else holds is passed over.
        """
        query = (
            select(_ACTIONS)
            .where(JobActionRow.status == ActionStatus.RUNNING.value)
            .order_by(JobActionRow.advanced_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return await self._one(query)

    async def save(self, action: JobAction) -> None:
        """Writes an action that is held."""
        statement = update(_ACTIONS).where(JobActionRow.action_id == action.action_id)
        await self._connection.execute(statement.values(asdict(action)))

    async def _one(self, query: Select[Any]) -> JobAction | None:
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _action(row)


def _action(row: RowMapping) -> JobAction:
    return JobAction(**(dict(row) | {"verb": ActionVerb(row["verb"]), "status": ActionStatus(row["status"])}))
