"""What was done over time: a stretch of it in equal steps, and what each step holds.

Counts are kept twice as they are made, by the minute for a good week and by the hour for a good year, so that a day
is read as fast in minutes as a year in days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from perdure.errors import FieldProblem, ValidationFailed
from perdure.models.histogram import bucket_of, quantile_seconds

MINUTE, HOUR, DAY = 60, 3_600, 86_400
STEPS = (MINUTE, 5 * MINUTE, HOUR, DAY)
"""Seconds that a point may stand for."""
KEPT_DAYS = {MINUTE: 8, HOUR: 400}
MAX_POINTS = 1_500
"""A day of minutes, five of five minutes, two months of hours."""
FEW_POINTS = 120
"""How many points are answered, at the most, to whoever does not say how far apart they are to be."""
OTHERS = "(others)"
"""Stands for the queues and job types of a process beyond its first ``MAX_SERIES`` of a period; no name of one."""
MAX_SERIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted of one queue and job type in the minute or hour that begins at ``starts_at``."""

    width_seconds: int
    starts_at: datetime
    queue: str
    job_type: str
    counts: Counter[str] = field(default_factory=Counter)
    """By column of ``job_history``."""
    wait_buckets: Counter[int] = field(default_factory=Counter)
    duration_buckets: Counter[int] = field(default_factory=Counter)

    @property
    def waits(self) -> list[int]:
        return _cut(self.wait_buckets)

    @property
    def durations(self) -> list[int]:
        return _cut(self.duration_buckets)

    def count_attempts(self, attempts: Sequence[tuple[float, float]]) -> None:
        """For how many seconds each waited, and how many it took."""
        if attempts:
            waits, durations = zip(*attempts, strict=True)
            self.counts["attempts"] += len(attempts)
            self.wait_buckets.update(map(bucket_of, waits))
            self.duration_buckets.update(map(bucket_of, durations))


def by_the_hour(minutes: Iterable[Tally]) -> list[Tally]:
    """The same counts, of whole hours."""
    hours: dict[tuple[datetime, str, str], Tally] = {}
    for one in minutes:
        key = one.starts_at.replace(minute=0), one.queue, one.job_type
        hour = hours.get(key)
        if hour is None:
            starts_at, queue, job_type = key
            hour = hours[key] = Tally(width_seconds=HOUR, starts_at=starts_at, queue=queue, job_type=job_type)
        hour.counts.update(one.counts)
        hour.wait_buckets.update(one.wait_buckets)
        hour.duration_buckets.update(one.duration_buckets)
    return list(hours.values())


def _cut(buckets: Counter[int]) -> list[int]:
    """A histogram up to its last count."""
    return [buckets[bucket] for bucket in range(max(buckets, default=-1) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From ``start`` on, ``points`` steps of ``step_seconds`` each; ``width_seconds`` is that of the counts to read."""

    start: datetime
    step_seconds: int
    points: int

    @classmethod
    def covering(cls, start: datetime, end: datetime, step_seconds: int | None) -> Stretch:
        """The steps that reach from ``start`` to ``end``, the finest with few points if not said; whole steps of UTC.

        Raises ``ValidationFailed`` where they are too many, or none.
        """
        seconds = (end - start).total_seconds()
        if seconds <= 0:
            raise ValidationFailed([FieldProblem("from", "must lie before `to`", "not_before")])
        step = step_seconds or next((one for one in STEPS if seconds / one <= FEW_POINTS), STEPS[-1])
        begun = start.timestamp() % step
        points = -int(-(seconds + begun) // step)
        if points > MAX_POINTS:
            raise ValidationFailed(
                [FieldProblem("step", f"makes more than {MAX_POINTS:,} points; take longer steps", "too_many_points")]
            )
        return cls(start=start - timedelta(seconds=begun), step_seconds=step, points=points)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.step_seconds * self.points)

    @property
    def width_seconds(self) -> int:
        return HOUR if self.step_seconds % HOUR == 0 else MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Seconds that so many of a hundred did not exceed; off by an eighth at most. None where nothing ended."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Sequence[int]) -> Quantiles:
        p50, p95, p99 = (quantile_seconds(histogram, part) for part in (0.50, 0.95, 0.99))
        return cls(p50=p50, p95=p95, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was done in the step that begins at ``at``; ``retried`` attempts failed and were followed by another."""

    at: datetime
    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    attempts: int = 0
    """Those that ended."""
    wait_seconds: Quantiles = Quantiles(p50=None, p95=None, p99=None)
    duration_seconds: Quantiles = Quantiles(p50=None, p95=None, p99=None)
