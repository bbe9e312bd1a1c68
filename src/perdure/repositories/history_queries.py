"""Reads what was done over time, one row for each step in which anything was; bounded like the other statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.models.history import Point, Quantiles, Stretch
from perdure.repositories.statistics_queries import BOUND

_SUMS = ("submitted", "succeeded", "failed", "cancelled", "retried", "attempts")
_KEYS = {
    "at": "date_bin(make_interval(secs => :step_seconds), starts_at, 'epoch')",
    "queue": "queue",
    "job_type": "job_type",
}
"""What the rows of a stretch are added up by."""

# The rows of one width lie together in the order of time: a stretch is read from its start to its end.
_STRETCH = """
    perdure.job_history WHERE width_seconds = :width_seconds AND starts_at >= :start AND starts_at < :end
      AND (CAST(:queue AS text) IS NULL OR queue = :queue)
      AND (CAST(:job_type AS text) IS NULL OR job_type = :job_type)"""


def _counts(key: str) -> str:
    sums = ", ".join(f"sum({name})::bigint AS {name}" for name in _SUMS)
    return f"SELECT {_KEYS[key]} AS {key}, {sums} FROM {_STRETCH} GROUP BY 1"


def _with_histograms(key: str) -> TextClause:
    """The same with the histograms, added up bucket by bucket: of each that holds any, its place and its counts.

    Most buckets of a short step hold nothing, and are passed over before anything is added up.
    """
    return text(f"""
        SELECT total.*, took.places, took.waits, took.durations FROM ({_counts(key)}) AS total
        LEFT JOIN (
            SELECT {key}, array_agg(place) AS places, array_agg(waits) AS waits, array_agg(durations) AS durations
            FROM (SELECT {key}, place,
                         coalesce(sum(wait), 0)::bigint AS waits, coalesce(sum(duration), 0)::bigint AS durations
                  FROM (SELECT {_KEYS[key]} AS {key}, waits, durations FROM {_STRETCH} OFFSET 0) AS history,
                       unnest(waits, durations) WITH ORDINALITY AS bucket(wait, duration, place)
                  WHERE wait > 0 OR duration > 0 GROUP BY 1, 2) AS added
            GROUP BY 1) AS took USING ({key})
        ORDER BY {key}""")


_COUNTS = text(f"{_counts('at')} ORDER BY 1")
_TOLD = {key: _with_histograms(key) for key in _KEYS}


class HistoryQueries:
    """Reads the history, on one connection and within two seconds."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def points(self, stretch: Stretch, *, queue: str | None = None, job_type: str | None = None) -> list[Point]:
        """The steps of ``stretch`` in which anything was done, in order; of one queue or job type, or of all."""
        rows = await self._told("at", stretch, queue=queue, job_type=job_type)
        return [_point(row["at"], [row]) for row in rows]

    async def points_and_whole(self, stretch: Stretch) -> tuple[list[Point], Point]:
        """The same of all, and all of ``stretch`` as one point."""
        rows = await self._told("at", stretch)
        return [_point(row["at"], [row]) for row in rows], _point(stretch.start, rows)

    async def counts(self, stretch: Stretch) -> list[Point]:
        """The same steps, without how long anything waited or took."""
        await self._connection.execute(BOUND)
        rows = await self._connection.execute(_COUNTS, _of(stretch))
        return [Point(**row) for row in rows.mappings()]

    async def by_type(self, stretch: Stretch) -> dict[str, Point]:
        """All of ``stretch`` as one point for each job type of which anything was done."""
        return {row["job_type"]: _point(stretch.start, [row]) for row in await self._told("job_type", stretch)}

    async def by_queue(self, stretch: Stretch) -> dict[str, Point]:
        """The same for each queue."""
        return {row["queue"]: _point(stretch.start, [row]) for row in await self._told("queue", stretch)}

    async def _told(self, key: str, stretch: Stretch, **only: str | None) -> Sequence[RowMapping]:
        await self._connection.execute(BOUND)
        return (await self._connection.execute(_TOLD[key], _of(stretch) | only)).mappings().all()


def _of(stretch: Stretch) -> dict[str, Any]:
    return {
        "start": stretch.start,
        "end": stretch.end,
        "width_seconds": stretch.width_seconds,
        "step_seconds": stretch.step_seconds,
        "queue": None,
        "job_type": None,
    }


def _point(at: datetime, rows: Sequence[RowMapping]) -> Point:
    """What the rows hold together."""
    return Point(
        at=at,
        **{name: sum(row[name] for row in rows) for name in _SUMS},
        wait_seconds=Quantiles.of(_histogram(rows, "waits")),
        duration_seconds=Quantiles.of(_histogram(rows, "durations")),
    )


def _histogram(rows: Sequence[RowMapping], name: str) -> list[int]:
    counts = Counter[int]()
    for row in rows:
        for place, count in zip(row["places"] or (), row[name] or (), strict=True):
            counts[place] += count
    return [counts[place] for place in range(1, max(counts, default=0) + 1)]
