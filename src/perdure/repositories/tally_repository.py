"""Writes down what a process has counted, and forgets what is too old to be asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import JobHistoryRow, JobTallyRow
from perdure.models.history import KEPT_DAYS, Tally
from perdure.repositories.statements import NOW, cast, column_list, unnest

COUNTED = tuple(column.name for column in columns_of(JobTallyRow) if not column.primary_key)

_HISTORY = columns_of(JobHistoryRow)
_HISTOGRAMS = ("waits", "durations")
_SUMS = tuple(column.name for column in _HISTORY if not column.primary_key and column.name not in _HISTOGRAMS)
_ADDED = ", ".join(
    [
        *(f"{name} = kept.{name} + excluded.{name}" for name in _SUMS),
        *(
            f"{name} = ARRAY(SELECT coalesce(bucket.kept, 0) + coalesce(bucket.new, 0) "
            f"FROM unnest(kept.{name}, excluded.{name}) WITH ORDINALITY AS bucket(kept, new, place) ORDER BY place)"
            for name in _HISTOGRAMS
        ),
    ]
)

# The tally is a row of its own for each process, so nobody waits for anybody. It is also the mark that these counts
# are written down: where it is there already, an earlier try was committed though nobody heard of it, and the history
# is left alone. Its rows are shared, and taken in one order by all, so that no two wait for each other.
_ADD = text(f"""
    WITH told AS (
        INSERT INTO perdure.job_tallies (tallied_at, tallier_id, {", ".join(COUNTED)})
        VALUES (:tallied_at, :tallier_id, {", ".join(f":{name}_in_all" for name in COUNTED)})
        ON CONFLICT DO NOTHING RETURNING tallier_id)
    INSERT INTO perdure.job_history AS kept ({column_list(_HISTORY)})
    SELECT {", ".join(cast(column, "new") for column in _HISTORY)} FROM {unnest(_HISTORY, "new")}
    WHERE EXISTS (SELECT FROM told)
    ORDER BY new.width_seconds, new.starts_at, new.queue, new.job_type
    ON CONFLICT (width_seconds, starts_at, queue, job_type) DO UPDATE SET {_ADDED}
""")

# What another process is removing just now is left to it.
_FORGET = text(f"""
    DELETE FROM perdure.job_tallies AS old USING (
        SELECT tallied_at, tallier_id FROM perdure.job_tallies
        WHERE tallied_at < {NOW} - interval '2 hours'
        ORDER BY tallied_at LIMIT 1000 FOR UPDATE SKIP LOCKED) AS gone
    WHERE (old.tallied_at, old.tallier_id) = (gone.tallied_at, gone.tallier_id)
""")

_FORGET_HISTORY = text(f"""
    DELETE FROM perdure.job_history AS old USING (
        SELECT width_seconds, starts_at, queue, job_type FROM perdure.job_history
        WHERE width_seconds = :width_seconds AND starts_at < {NOW} - make_interval(days => :days)
        ORDER BY starts_at LIMIT 1000 FOR UPDATE SKIP LOCKED) AS gone
    WHERE (old.width_seconds, old.starts_at, old.queue, old.job_type)
          = (gone.width_seconds, gone.starts_at, gone.queue, gone.job_type)
""")


class TallyRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self, tallier_id: UUID, tallied_at: datetime, counts: Mapping[str, int], history: Sequence[Tally] = ()
    ) -> None:
        """Writes the counts by column (those left out are 0), and adds their parts to the history.

        The same again (by the process and ``tallied_at``) adds nothing.
        """
        values: dict[str, Any] = {f"{name}_in_all": counts.get(name, 0) for name in COUNTED}
        values |= {"tallier_id": tallier_id, "tallied_at": tallied_at} | _arrays(history)
        await self._connection.execute(_ADD, values)

    async def forget_old(self) -> None:
        """Removes tallies that are two hours old, and history that is older than it is kept."""
        await self._connection.execute(_FORGET)
        for width_seconds, days in KEPT_DAYS.items():
            await self._connection.execute(_FORGET_HISTORY, {"width_seconds": width_seconds, "days": days})


def _arrays(history: Sequence[Tally]) -> dict[str, list[Any]]:
    arrays: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in history] for name in ("width_seconds", "starts_at", "queue", "job_type")
    }
    arrays |= {name: [one.counts[name] for one in history] for name in _SUMS}
    for name in _HISTOGRAMS:
        arrays[name] = ["{" + ",".join(map(str, getattr(one, name))) + "}" for one in history]
    return arrays
