"""What was done over time: which stretch is meant, and a point for each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from perdure.db.session import Database
from perdure.models.history import Point, Stretch
from perdure.repositories.history_queries import HistoryQueries
from perdure.schemas.history import HistoryQuery

DEFAULT_STRETCH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class History:
    """Points in order, without gaps."""

    start: datetime
    end: datetime
    step_seconds: int
    points: list[Point]


async def read_history(database: Database, query: HistoryQuery) -> History:
    """What ``query`` asks for. Raises ``ValidationFailed`` for a stretch that is none, or has too many steps."""
    end = query.end or database.clock.now()
    stretch = Stretch.covering(query.start or end - DEFAULT_STRETCH, end, query.step)
    async with database.snapshot() as connection:
        found = await HistoryQueries(connection).points(stretch, queue=query.queue, job_type=query.job_type)
    by_time = {point.at: point for point in found}
    times = [stretch.start + number * timedelta(seconds=stretch.step_seconds) for number in range(stretch.points)]
    return History(stretch.start, stretch.end, stretch.step_seconds, [by_time.get(at) or Point(at=at) for at in times])
