"""What was done over the last hour, day and week, for whoever looks: read once for all who do within a while.

Counts are told in short steps. How long things waited and took, which is dearer to add up, in longer ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from perdure.core.remembered import Remembered
from perdure.db.session import Database
from perdure.models.history import HOUR, MINUTE, Point, Stretch
from perdure.repositories.history_queries import HistoryQueries


class Period(StrEnum):
    """How far back one looks."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a period is read, and for how many seconds the answer will do."""

    length: timedelta
    step_seconds: int
    quantile_step_seconds: int
    fresh_seconds: float


_PLANS = {
    Period.HOUR: _Plan(timedelta(hours=1), MINUTE, MINUTE, 5.0),
    Period.DAY: _Plan(timedelta(days=1), 15 * MINUTE, HOUR, 20.0),
    Period.WEEK: _Plan(timedelta(days=7), 2 * HOUR, 2 * HOUR, 60.0),
}


@dataclass(frozen=True, slots=True)
class Trend:
    """A period as equal steps, without gaps, and as a whole. ``spans`` are the steps that say how long things took."""

    step_seconds: int
    points: Sequence[Point]
    span_seconds: int
    spans: Sequence[Point]
    whole: Point


class Trends:
    """Asks the database, and remembers the answer of each period for as long as it will do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = {
            period: Remembered(partial(self._ask, plan), plan.fresh_seconds) for period, plan in _PLANS.items()
        }

    async def read(self, period: Period) -> Trend:
        """Raises ``Unavailable``."""
        return await self._known[period].get()

    async def _ask(self, plan: _Plan) -> Trend:
        now = self._database.clock.now()
        stretch = _last(plan, plan.step_seconds, now)
        spans = _last(plan, plan.quantile_step_seconds, now)
        async with self._database.snapshot() as connection:
            history = HistoryQueries(connection)
            points = await history.counts(stretch)
            took, whole = await history.points_and_whole(spans)
        return Trend(
            stretch.step_seconds, _without_gaps(stretch, points), spans.step_seconds, _without_gaps(spans, took), whole
        )


def _last(plan: _Plan, step_seconds: int, now: datetime) -> Stretch:
    """The latest steps of the period, of which the last is under way."""
    return Stretch.covering(now - plan.length + timedelta(seconds=step_seconds), now, step_seconds)


def _without_gaps(stretch: Stretch, found: Sequence[Point]) -> list[Point]:
    by_time = {point.at: point for point in found}
    times = [stretch.start + number * timedelta(seconds=stretch.step_seconds) for number in range(stretch.points)]
    return [by_time.get(at) or Point(at=at) for at in times]
