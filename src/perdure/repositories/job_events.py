"""Writes the timeline: each recorded step of a job, with the transition that made it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobEventRow
from perdure.db.session import dump_json
from perdure.models.job import Transition
from perdure.repositories.statements import column_list, insert, unnest

_COLUMNS = tuple(column for column in columns_of(JobEventRow) if column.name != "event_id")
_ADD = text(insert("perdure.job_events", _COLUMNS))

# The very same end of the very same attempt, to the microsecond: nobody else can have written it.
_MARKS = tuple(column for column in _COLUMNS if column.name != "data")
_WRITTEN_BEFORE = text(f"""
    SELECT event.job_id, event.started_at FROM {unnest(_MARKS, "mine")}
    JOIN perdure.job_events AS event USING ({column_list(_MARKS)})
""")


class JobEvents:
    """The steps of jobs, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, transitions: Sequence[Transition]) -> None:
        await self._connection.execute(_ADD, _arrays(transitions))

    async def written_before(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Those that stand there already."""
        arrays = _arrays(transitions)
        marks = {column.name: arrays[column.name] for column in _MARKS}
        found = {(job_id, at) for job_id, at in await self._connection.execute(_WRITTEN_BEFORE, marks)}
        return [one for one in transitions if (one.before.job_id, one.before.started_at) in found]


def _arrays(transitions: Sequence[Transition]) -> dict[str, list[object]]:
    return {
        "job_id": [transition.job.job_id for transition in transitions],
        "run": [transition.job.run for transition in transitions],
        "attempt": [transition.before.attempt for transition in transitions],
        "event": [transition.event.value for transition in transitions],
        "at": [transition.at for transition in transitions],
        "started_at": [transition.attempt_started_at for transition in transitions],
        "data": [dump_json(transition.data) for transition in transitions],
    }
