"""Removes what is old, while others work: hourly, a batch at a time, by whichever process comes first.

It goes on where its last walk ended, so that what is kept for the audit is not read again each hour; and once a day
from the start, since a job may end long after its id was made, and an audit grows old behind the walk.
"""

from __future__ import annotations

from collections import Counter

from perdure.core.retention import PAUSE_SECONDS, START, Retention
from perdure.db.wakeup import Topic, Wakeup
from perdure.signals import HistoryPruned, Signals
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 3_600.0
WALKS_PER_ROUND = 24
"""So many walks after the last one, the next begins at the start."""


class Pruner(Loop):
    def __init__(self, signals: Signals, wakeup: Wakeup, retention: Retention) -> None:
        super().__init__(signals)
        self._wakeup = wakeup
        self._retention = retention
        self._reached = START
        self._walks = 0
        self._removed: Counter[str] = Counter()

    async def tick(self) -> float:
        batch = await self._retention.remove_batch(self._reached)
        if batch is None:
            return INTERVAL_SECONDS
        self._reached = batch.reached
        self._removed += batch.removed
        if batch.removed["files"]:
            self._wakeup.ring(Topic.FILE_REMOVALS)
        if not batch.is_last:
            return PAUSE_SECONDS
        self._end_walk()
        return INTERVAL_SECONDS

    def _end_walk(self) -> None:
        if self._removed:
            self._signals.emit(HistoryPruned(dict(self._removed)))
        self._removed.clear()
        self._walks += 1
        if self._walks % WALKS_PER_ROUND == 0:
            self._reached = START
