"""Fails waiting jobs for which it is too late (``expires_at``), and sleeps until the next one's time is over.

Each is concluded through the same door as any failure, and so told. Claims look at the clock themselves: a job whose
time is over does not begin, however late this loop comes. Every process may run one; what one has locked, the others
pass over.
"""

from __future__ import annotations

from perdure.core.recording import Recorder
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.repositories.expiring_jobs import ExpiringJobs
from perdure.signals import Signals
from perdure.workers.loop import Loop, sleep_until

BATCH = 200
POLL_SECONDS = 30.0
SHORTEST_PAUSE_SECONDS = 0.1
"""What has expired may be held by somebody else just now."""


class Expirer(Loop):
    def __init__(self, database: Database, signals: Signals, wakeup: Wakeup, recorder: Recorder) -> None:
        super().__init__(signals, wakeup.event(Topic.JOBS_EXPIRING))
        self._database = database
        self._recorder = recorder

    async def tick(self) -> float:
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            jobs = ExpiringJobs(connection)
            expired = await jobs.lock_expired(BATCH)
            recorded = await self._recorder.record(connection, [job.expire(now) for job in expired], now)
            next_expiry = await jobs.seconds_until_next()
        self._recorder.announce(recorded)
        if len(expired) == BATCH:
            return 0.0
        return sleep_until(next_expiry, POLL_SECONDS, SHORTEST_PAUSE_SECONDS)
