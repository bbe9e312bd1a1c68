"""Counts what this process sees happen to jobs, and writes the counts down every few seconds.

It listens to the signals, after the commits, so no job waits for it and none costs a write. Counts are written once,
whatever becomes of the answer to their commit: until it is sure, the same are written again. The price: a process that
is killed takes the counts of its last seconds with it. They feed ``GET /v1/stats`` and its history, and decide nothing.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from perdure.db.session import Database
from perdure.models.history import MAX_SERIES, MINUTE, OTHERS, Tally, by_the_hour
from perdure.repositories.tally_repository import TallyRepository
from perdure.signals import JobsSubmitted, Signals, StepsRecorded
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 5.0
_COLUMNS = {"SUCCESS": "succeeded", "FAILURE": "failed", "CANCELLED": "cancelled", "RETRY": "retried"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class _Counted:
    """What was counted since the last writing: by minute, queue and job type, and how long attempts took in all."""

    def __init__(self) -> None:
        self.past: list[Tally] = []
        self.present: dict[tuple[str, str], Tally] = {}
        """Those of the minute that has not ended."""
        self.wait_seconds = 0.0
        self.duration_seconds = 0.0

    def end_minute(self) -> None:
        self.past += self.present.values()
        self.present = {}

    @property
    def minutes(self) -> list[Tally]:
        return [*self.past, *self.present.values()]

    @property
    def in_all(self) -> Counter[str]:
        """By column of ``job_tallies``."""
        counts: Counter[str] = Counter()
        for tally in self.minutes:
            counts.update(tally.counts)
        counts["wait_microseconds"] = round(self.wait_seconds * 1e6)
        counts["duration_microseconds"] = round(self.duration_seconds * 1e6)
        return counts


class Tallier(Loop):
    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database
        self._tallier_id = uuid4()
        self._counted = _Counted()
        self._unsure: tuple[datetime, _Counted] | None = None
        """What is being written down, by the time at which that was begun."""
        self._minute = self._minute_end = self._hour = _LONG_AGO
        self._series: set[tuple[str, str]] = set()
        """Those of the hour."""
        signals.subscribe(JobsSubmitted, self._submitted)
        signals.subscribe(StepsRecorded, self._recorded)

    async def tick(self) -> float:
        await self.save()
        return INTERVAL_SECONDS

    async def save(self) -> None:
        """Writes down what was counted since the last time; what cannot be written now is kept for the next."""
        while self._unsure is not None or self._counted.minutes:
            if self._unsure is None:
                self._unsure = self._database.clock.now(), self._counted
                self._counted = _Counted()
            await self._write(*self._unsure)
            self._unsure = None

    async def _write(self, tallied_at: datetime, counted: _Counted) -> None:
        history = [*counted.minutes, *by_the_hour(counted.minutes)]
        async with self._database.transaction() as connection:
            tallies = TallyRepository(connection)
            await tallies.add(self._tallier_id, tallied_at, counted.in_all, history)
            await tallies.forget_old()

    def _submitted(self, signal: JobsSubmitted) -> None:
        for (queue, job_type), number in Counter(zip(signal.queues, signal.job_types, strict=True)).items():
            self._tally(queue, job_type).counts["submitted"] += number

    def _recorded(self, signal: StepsRecorded) -> None:
        column = _COLUMNS.get(signal.event)
        if column is None and not signal.attempts:
            return
        tally = self._tally(signal.queue, signal.job_type)
        if column is not None:
            tally.counts[column] += signal.count
        tally.count_attempts(signal.attempts)
        for wait_seconds, duration_seconds in signal.attempts:
            self._counted.wait_seconds += wait_seconds
            self._counted.duration_seconds += duration_seconds

    def _tally(self, queue: str, job_type: str) -> Tally:
        """That of the present minute."""
        now = self._database.clock.now()
        if not self._minute <= now < self._minute_end:
            self._begin_minute(now)
        tally = self._counted.present.get((queue, job_type))
        return self._begin_tally(queue, job_type) if tally is None else tally

    def _begin_minute(self, now: datetime) -> None:
        self._counted.end_minute()
        self._minute = now.replace(second=0, microsecond=0)
        self._minute_end = self._minute + timedelta(seconds=MINUTE)
        if self._minute.replace(minute=0) != self._hour:
            self._hour, self._series = self._minute.replace(minute=0), set()

    def _begin_tally(self, queue: str, job_type: str) -> Tally:
        series = queue, job_type
        if series not in self._series:
            if len(self._series) >= MAX_SERIES:
                series = OTHERS, OTHERS
            else:
                self._series.add(series)
        new = Tally(width_seconds=MINUTE, starts_at=self._minute, queue=series[0], job_type=series[1])
        return self._counted.present.setdefault(series, new)
