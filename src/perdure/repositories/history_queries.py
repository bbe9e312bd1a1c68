"""Reads what was done over time, one row for each step in which anything was; bounded like the other statistics."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, text
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


class HistoryQueries:
    """Reads the history, on one connection and within two seconds."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def points(self, stretch: Stretch, *, queue: str | None, job_type: str | None) -> list[Point]:
        """The steps of ``stretch`` in which anything was done, in order; of one queue or job type, or of all."""
        parameters = {
            "start": stretch.start,
            "end": stretch.end,
            "step_seconds": stretch.step_seconds,
            "width_seconds": stretch.width_seconds,
            "queue": queue,
            "job_type": job_type,
        }
        await self._connection.execute(BOUND)
        return [_point(row) for row in (await self._connection.execute(_STEPS, parameters)).mappings()]


def _point(row: RowMapping) -> Point:
    fields: dict[str, Any] = dict(row)
    waits, durations = fields.pop("waits"), fields.pop("durations")
    return Point(**fields, wait_seconds=Quantiles.of(waits or ()), duration_seconds=Quantiles.of(durations or ()))
