"""Writes schedules and their slots: what a user says of them, and what their turns come to.

A turn locks a schedule, writes its slots with their jobs and sets how far it has come, in one transaction. So no slot
is forgotten; and none gets two jobs, for the slots' primary key lets one in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, column, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import Timestamp, columns_of, quoted, table_of
from perdure.db.models import ScheduleRow, ScheduleSlotRow
from perdure.db.session import dump_json
from perdure.models.lifecycle import FINAL
from perdure.models.schedule import CatchUp, Overlap, Schedule, Slot
from perdure.repositories.statements import NOW, cast, column_list, insert, unnest

LIVE_LOOKED_AT = 100
"""So many of a schedule's latest jobs are asked for being live."""

_SCHEDULES = table_of(ScheduleRow)
_COLUMNS = columns_of(ScheduleRow)
_SLOT_COLUMNS = columns_of(ScheduleSlotRow)

# Replaces the one of the same name, whoever made it meanwhile; it stays as old as it is.
_SAVED = tuple(column for column in _COLUMNS if column.name not in {"name", "created_at"})
_SAVE = text(
    insert(
        "perdure.schedules",
        _COLUMNS,
        f"ON CONFLICT (name) DO UPDATE SET {', '.join(f'{one.name} = excluded.{one.name}' for one in _SAVED)}",
    )
)

# Each due schedule for one scheduler only (SKIP LOCKED), the longest due first, and the time by the database's clock.
_LOCK_DUE = text(f"""
    SELECT {column_list(_COLUMNS, "schedule")}, clock_timestamp() AS locked_at FROM perdure.schedules AS schedule
    WHERE schedule.next_slot_at <= {NOW}
    ORDER BY schedule.next_slot_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
""").columns(*_COLUMNS, column("locked_at", Timestamp))

# Those of the schedules that have a live job, judged by the jobs themselves. A value is asked for, since EXISTS may be
# answered by reading all jobs.
_BUSY = text(f"""
    SELECT wanted.name FROM unnest(CAST(:names AS text[])) AS wanted(name)
    WHERE (SELECT job.job_id
           FROM (SELECT slot.job_id FROM perdure.schedule_slots AS slot
                 WHERE slot.name = wanted.name AND slot.job_id IS NOT NULL
                 ORDER BY slot.slot_at DESC LIMIT {LIVE_LOOKED_AT}) AS latest
           JOIN perdure.jobs AS job USING (job_id)
           WHERE job.status NOT IN ({quoted(FINAL)})
           LIMIT 1) IS NOT NULL
""")

# At most once: a slot that was dealt with before is left as it is, and not returned.
_ADD_SLOTS = text(insert("perdure.schedule_slots", _SLOT_COLUMNS, "ON CONFLICT DO NOTHING RETURNING name, slot_at"))

_NOTE_OVERLAP = text("""
    UPDATE perdure.schedule_slots AS slot SET outcome = 'overlapped', job_id = NULL
    FROM unnest(CAST(:names AS text[]), CAST(:slots AS timestamptz[])) AS mine(name, slot_at)
    WHERE slot.name = mine.name AND slot.slot_at = mine.slot_at
""")

_SETTLED = tuple(
    column for column in _COLUMNS if column.name in {"name", "settled_until", "next_slot_at", "last_error"}
)
_SETTLE = text(f"""
    UPDATE perdure.schedules AS schedule
    SET {", ".join(f"{column.name} = {cast(column, 'new')}" for column in _SETTLED if column.name != "name")}
    FROM {unnest(_SETTLED, "new")} WHERE schedule.name = new.name
""")

_SECONDS_UNTIL_NEXT_DUE = text("""
    SELECT extract(epoch FROM min(next_slot_at) - clock_timestamp())::float8 FROM perdure.schedules
    WHERE next_slot_at IS NOT NULL
""")


class ScheduleRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, name: str) -> Schedule | None:
        """The schedule as it stands, locked until the transaction ends; None when there is none of this name."""
        query = select(_SCHEDULES).where(ScheduleRow.name == name).with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else schedule_from_row(row)

    async def save(self, schedule: Schedule) -> None:
        """Stores the schedule, in the place of the one of its name."""
        await self._connection.execute(_SAVE, _arrays([schedule], _COLUMNS))

    async def delete(self, name: str) -> bool:
        """Removes the schedule and says whether there was one. Its slots stay, and are not given out again."""
        result = await self._connection.execute(delete(_SCHEDULES).where(ScheduleRow.name == name))
        return result.rowcount > 0

    async def lock_due(self, limit: int) -> tuple[list[Schedule], datetime | None]:
        """Up to ``limit`` schedules that have to be seen to, locked, and the time when the last of them was."""
        rows = (await self._connection.execute(_LOCK_DUE, {"limit": limit})).mappings().all()
        return [schedule_from_row(row) for row in rows], max((row["locked_at"] for row in rows), default=None)

    async def busy_among(self, names: Sequence[str]) -> set[str]:
        """Those of the schedules of which a job is not final."""
        return set((await self._connection.execute(_BUSY, {"names": list(names)})).scalars())

    async def add_slots(self, slots: Sequence[Slot]) -> set[tuple[str, datetime]]:
        """Stores what became of slots; returns the (name, time) of those of which that was not known already."""
        result = await self._connection.execute(_ADD_SLOTS, _arrays(slots, _SLOT_COLUMNS))
        return {(name, slot_at) for name, slot_at in result}

    async def note_overlap(self, slots: Sequence[Slot]) -> None:
        """Takes back that slots just added get their jobs: a live one stood in the way."""
        mine = {"names": [slot.name for slot in slots], "slots": [slot.slot_at for slot in slots]}
        await self._connection.execute(_NOTE_OVERLAP, mine)

    async def settle(self, schedules: Sequence[Schedule]) -> None:
        """Stores how far locked schedules have come, and when they are next due."""
        await self._connection.execute(_SETTLE, _arrays(schedules, _SETTLED))

    async def seconds_until_next_due(self) -> float | None:
        """Seconds until the next schedule has to be seen to (negative: overdue); None when none has."""
        seconds: float | None = (await self._connection.execute(_SECONDS_UNTIL_NEXT_DUE)).scalar_one()
        return seconds


def schedule_from_row(row: RowMapping) -> Schedule:
    """The schedule that a row of ``schedules`` (all its columns) stands for."""
    fields: dict[str, Any] = {column.name: row[column.name] for column in _COLUMNS}
    return Schedule(**fields | {"catch_up": CatchUp(row["catch_up"]), "overlap": Overlap(row["overlap"])})


def _arrays(values: Sequence[Any], columns: Sequence[Any]) -> dict[str, list[Any]]:
    arrays = {column.name: [getattr(value, column.name) for value in values] for column in columns}
    if "job" in arrays:
        arrays["job"] = [dump_json(job) for job in arrays["job"]]
    return arrays
