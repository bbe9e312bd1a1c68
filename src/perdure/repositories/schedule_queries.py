"""The read side of schedules: one, all, and what became of the latest slots of one."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import table_of
from perdure.db.models import ScheduleRow
from perdure.models.schedule import Schedule
from perdure.repositories.schedule_repository import schedule_from_row

_SCHEDULES = table_of(ScheduleRow)

# The latest slots first, with how their jobs stand; a job that retention has removed has no status.
_LATEST = text("""
    SELECT slot.slot_at, slot.outcome, slot.job_id, job.status AS job_status
    FROM (SELECT * FROM perdure.schedule_slots WHERE name = :name ORDER BY slot_at DESC LIMIT :limit) AS slot
    LEFT JOIN perdure.jobs AS job ON job.job_id = slot.job_id
    ORDER BY slot.slot_at DESC
""")

# Of each schedule the latest slot, by the slots' primary key.
_LATEST_OF_EACH = text("""
    SELECT schedule.name, slot.slot_at, slot.outcome, slot.job_id, job.status AS job_status
    FROM perdure.schedules AS schedule
    CROSS JOIN LATERAL (SELECT * FROM perdure.schedule_slots AS one WHERE one.name = schedule.name
                        ORDER BY slot_at DESC LIMIT 1) AS slot
    LEFT JOIN perdure.jobs AS job ON job.job_id = slot.job_id
""")


class ScheduleQueries:
    """Reads schedules, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> Schedule | None:
        query = select(_SCHEDULES).where(ScheduleRow.name == name)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else schedule_from_row(row)

    async def all(self) -> list[Schedule]:
        """In order of name."""
        query = select(_SCHEDULES).order_by(ScheduleRow.name)
        return [schedule_from_row(row) for row in (await self._connection.execute(query)).mappings()]

    async def latest_slots(self, name: str, limit: int) -> Sequence[RowMapping]:
        """What became of the schedule's latest slots, the latest first."""
        return (await self._connection.execute(_LATEST, {"name": name, "limit": limit})).mappings().all()

    async def latest_slot_of_each(self) -> dict[str, RowMapping]:
        """The latest slot of every schedule that had one, by the schedule's name."""
        return {row["name"]: row for row in (await self._connection.execute(_LATEST_OF_EACH)).mappings()}
