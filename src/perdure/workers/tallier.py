"""Counts what this process sees happen to jobs, and writes the counts down every few seconds.

It listens to the signals, after the commits, so no job waits for it and none costs a write. Counts are written once,
whatever becomes of the answer to their commit: until it is sure, the same are written again. The price: a process that
is killed takes the counts of its last seconds with it. They feed ``GET /v1/stats`` and its history, and decide nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from perdure.db.session import Database
from perdure.models.history import HOUR, MAX_SERIES, MINUTE, OTHERS, Tally
from perdure.repositories.tally_repository import TallyRepository
from perdure.signals import JobsSubmitted, JobTransitioned, Signals
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 5.0
_COLUMNS = {"SUCCESS": "succeeded", "FAILURE": "failed", "CANCELLED": "cancelled", "RETRY": "retried"}


@dataclass(slots=True)
class _Counted:
    """What was counted since the last writing: in all, and by minute, hour, queue and job type."""

    in_all: Counter[str] = field(default_factory=Counter)
    history: dict[tuple[int, datetime, str, str], Tally] = field(default_factory=dict)


class Tallier(Loop):
    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database
        self._tallier_id = uuid4()
        self._counted = _Counted()
        self._unsure: tuple[datetime, _Counted] | None = None
        """What is being written down, by the time at which that was begun."""
        self._hour: datetime | None = None
        self._series: set[tuple[str, str]] = set()
        signals.subscribe(JobsSubmitted, self._submitted)
        signals.subscribe(JobTransitioned, self._transitioned)

    async def tick(self) -> float:
        await self.save()
        return INTERVAL_SECONDS

    async def save(self) -> None:
        """Writes down what was counted since the last time; what cannot be written now is kept for the next."""
        while self._unsure is not None or self._counted.in_all:
            if self._unsure is None:
                self._unsure = self._database.clock.now(), self._counted
                self._counted = _Counted()
            await self._write(*self._unsure)
            self._unsure = None

    async def _write(self, tallied_at: datetime, counted: _Counted) -> None:
        async with self._database.transaction() as connection:
            tallies = TallyRepository(connection)
            await tallies.add(self._tallier_id, tallied_at, counted.in_all, list(counted.history.values()))
            await tallies.forget_old()

    def _submitted(self, signal: JobsSubmitted) -> None:
        self._counted.in_all["submitted"] += len(signal.job_ids)
        for (queue, job_type), number in Counter(zip(signal.queues, signal.job_types, strict=True)).items():
            for tally in self._tallies(queue, job_type):
                tally.counts["submitted"] += number

    def _transitioned(self, signal: JobTransitioned) -> None:
        counts, tallies = self._counted.in_all, self._tallies(signal.queue, signal.job_type)
        if signal.event in _COLUMNS:
            counts[_COLUMNS[signal.event]] += 1
            for tally in tallies:
                tally.counts[_COLUMNS[signal.event]] += 1
        if signal.wait_seconds is not None and signal.duration_seconds is not None:
            counts["attempts"] += 1
            counts["wait_microseconds"] += round(signal.wait_seconds * 1e6)
            counts["duration_microseconds"] += round(signal.duration_seconds * 1e6)
            for tally in tallies:
                tally.count_attempt(signal.wait_seconds, signal.duration_seconds)

    def _tallies(self, queue: str, job_type: str) -> list[Tally]:
        """Those of the present minute and hour."""
        minute = self._database.clock.now().replace(second=0, microsecond=0)
        hour = minute.replace(minute=0)
        if hour != self._hour:
            self._hour, self._series = hour, set()
        if (queue, job_type) not in self._series:
            if len(self._series) >= MAX_SERIES:
                queue = job_type = OTHERS
            else:
                self._series.add((queue, job_type))
        return [self._tally(MINUTE, minute, queue, job_type), self._tally(HOUR, hour, queue, job_type)]

    def _tally(self, width_seconds: int, starts_at: datetime, queue: str, job_type: str) -> Tally:
        key = (width_seconds, starts_at, queue, job_type)
        tally = self._counted.history.get(key)
        if tally is None:
            tally = self._counted.history[key] = Tally(
                width_seconds=width_seconds, starts_at=starts_at, queue=queue, job_type=job_type
            )
        return tally
