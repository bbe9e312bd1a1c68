"""Counts what this process sees happen to jobs, and writes the counts down every few seconds.

It listens to the signals, after the commits, so no job waits for it and none costs a write. The price: a process that
is killed takes the counts of its last seconds with it. They feed ``GET /v1/stats`` and decide nothing.
"""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

from perdure.db.session import Database
from perdure.repositories.tally_repository import TallyRepository
from perdure.signals import JobsSubmitted, JobTransitioned, Signals
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 5.0
_COLUMNS = {"SUCCESS": "succeeded", "FAILURE": "failed", "CANCELLED": "cancelled", "RETRY": "retried"}


class Tallier(Loop):
    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database
        self._tallier_id = uuid4()
        self._counts: Counter[str] = Counter()
        signals.subscribe(JobsSubmitted, self._submitted)
        signals.subscribe(JobTransitioned, self._transitioned)

    async def tick(self) -> float:
        await self.save()
        return INTERVAL_SECONDS

    async def save(self) -> None:
        """Writes down what was counted since the last time; what cannot be written now is kept for the next."""
        if not self._counts:
            return
        counted, self._counts = self._counts, Counter()
        try:
            async with self._database.transaction() as connection:
                tallies = TallyRepository(connection)
                await tallies.add(self._tallier_id, counted)
                await tallies.forget_old()
        except BaseException:
            self._counts.update(counted)
            raise

    def _submitted(self, signal: JobsSubmitted) -> None:
        self._counts["submitted"] += len(signal.job_ids)

    def _transitioned(self, signal: JobTransitioned) -> None:
        if signal.event in _COLUMNS:
            self._counts[_COLUMNS[signal.event]] += 1
        if signal.wait_seconds is not None and signal.duration_seconds is not None:
            self._counts["attempts"] += 1
            self._counts["wait_microseconds"] += round(signal.wait_seconds * 1e6)
            self._counts["duration_microseconds"] += round(signal.duration_seconds * 1e6)
