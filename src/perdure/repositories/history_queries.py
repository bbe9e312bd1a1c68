"""Reads what was done over time, one row for each step in which anything was; bounded like the other statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.history import Point, Quantiles, Stretch
from perdure.repositories.statistics_queries import BOUND

_SUMS = ("submitted", "succeeded", "failed", "cancelled", "retried", "attempts")


def _merged(histogram: str) -> str:
    """Histograms of one step, added up bucket by bucket."""
    return f"""
        SELECT at, array_agg(count ORDER BY place) AS {histogram} FROM (
            SELECT at, place, sum(count)::bigint AS count
            FROM kept, unnest(kept.{histogram}) WITH ORDINALITY AS bucket(count, place)
            GROUP BY at, place) AS merged
        GROUP BY at"""


# The rows of one width lie together in the order of time: a stretch is read from its start to its end.
_STEPS = text(f"""
    WITH kept AS MATERIALIZED (
        SELECT date_bin(make_interval(secs => :step_seconds), starts_at, 'epoch') AS at, history.*
        FROM perdure.job_history AS history
        WHERE width_seconds = :width_seconds AND starts_at >= :start AND starts_at < :end
          AND (CAST(:queue AS text) IS NULL OR queue = :queue)
          AND (CAST(:job_type AS text) IS NULL OR job_type = :job_type))
    SELECT total.*, wait.waits, duration.durations
    FROM (SELECT at, {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)} FROM kept GROUP BY at) AS total
    LEFT JOIN ({_merged("waits")}) AS wait USING (at)
    LEFT JOIN ({_merged("durations")}) AS duration USING (at)
    ORDER BY at
""")

# The same without how long anything took: adding up the histograms of a day of minutes takes ten times as long.
_COUNTS = text(f"""
    SELECT date_bin(make_interval(secs => :step_seconds), starts_at, 'epoch') AS at,
           {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)}
    FROM perdure.job_history
    WHERE width_seconds = :width_seconds AND starts_at >= :start AND starts_at < :end
    GROUP BY 1 ORDER BY 1
""")

# The whole stretch as one point for each job type or queue, or for all together.
_WHOLE = text(f"""
    WITH kept AS MATERIALIZED (
        SELECT CASE CAST(:by AS text) WHEN 'job_type' THEN job_type WHEN 'queue' THEN queue ELSE '' END AS at, history.*
        FROM perdure.job_history AS history
        WHERE width_seconds = :width_seconds AND starts_at >= :start AND starts_at < :end)
    SELECT total.*, wait.waits, duration.durations
    FROM (SELECT at, {", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)} FROM kept GROUP BY at) AS total
    LEFT JOIN ({_merged("waits")}) AS wait USING (at)
    LEFT JOIN ({_merged("durations")}) AS duration USING (at)
    ORDER BY at
""")


class HistoryQueries:
    """Reads the history, on one connection and within two seconds."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def points(self, stretch: Stretch, *, queue: str | None, job_type: str | None) -> list[Point]:
        """The steps of ``stretch`` in which anything was done, in order; of one queue or job type, or of all."""
        parameters = _of(stretch) | {"step_seconds": stretch.step_seconds, "queue": queue, "job_type": job_type}
        await self._connection.execute(BOUND)
        return [_point({**row}) for row in (await self._connection.execute(_STEPS, parameters)).mappings()]

    async def counts(self, stretch: Stretch) -> list[Point]:
        """The same steps, without how long anything waited or took."""
        await self._connection.execute(BOUND)
        rows = await self._connection.execute(_COUNTS, _of(stretch) | {"step_seconds": stretch.step_seconds})
        return [Point(**row) for row in rows.mappings()]

    async def whole(self, stretch: Stretch) -> Point:
        """All of ``stretch`` as one point."""
        await self._connection.execute(BOUND)
        row = (await self._connection.execute(_WHOLE, _of(stretch) | {"by": ""})).mappings().one_or_none()
        return Point(at=stretch.start) if row is None else _point({**row, "at": stretch.start})

    async def by_type(self, stretch: Stretch) -> dict[str, Point]:
        """All of ``stretch`` as one point for each job type of which anything was done."""
        return await self._by("job_type", stretch)

    async def by_queue(self, stretch: Stretch) -> dict[str, Point]:
        """The same for each queue."""
        return await self._by("queue", stretch)

    async def _by(self, column: str, stretch: Stretch) -> dict[str, Point]:
        await self._connection.execute(BOUND)
        rows = (await self._connection.execute(_WHOLE, _of(stretch) | {"by": column})).mappings()
        return {row["at"]: _point({**row, "at": stretch.start}) for row in rows}


def _of(stretch: Stretch) -> dict[str, Any]:
    return {"start": stretch.start, "end": stretch.end, "width_seconds": stretch.width_seconds}


def _point(row: Mapping[str, Any]) -> Point:
    fields: dict[str, Any] = dict(row)
    waits, durations = fields.pop("waits"), fields.pop("durations")
    return Point(**fields, wait_seconds=Quantiles.of(waits or ()), duration_seconds=Quantiles.of(durations or ()))
