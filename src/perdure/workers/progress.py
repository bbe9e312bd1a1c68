"""Writes what attempts tell while they run: the latest progress of each, and what its log has to save.

All of them together, in one transaction, at most once a second. What an attempt told last is written with its
conclusion: it is not this loop's to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.session import Database, dump_json
from perdure.errors import Unavailable
from perdure.models.job import Job
from perdure.models.job_log import LogLine
from perdure.repositories.job_log_repository import JobLogRepository
from perdure.repositories.job_repository import JobRepository
from perdure.signals import Signals
from perdure.workers.attempt_log import AttemptLog, lines_of
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 1.0
IDLE_SECONDS = 60.0


class ProgressWriter(Loop):
    """``report``, and the logs that ``log_of`` makes, may be used from any thread; the loop writes."""

    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database
        self._event_loop = asyncio.get_running_loop()
        self._reported: dict[UUID, tuple[Job, dict[str, Any]]] = {}
        self._spoken: set[AttemptLog] = set()
        """Logs with lines to save."""

    def report(self, job: Job, progress: dict[str, Any]) -> None:
        self._event_loop.call_soon_threadsafe(self._note, job, progress)

    def log_of(self, job: Job) -> AttemptLog:
        """The log of the attempt that ``job`` stands for."""
        return AttemptLog(job, self._database.clock.now, self._listen)

    def _listen(self, log: AttemptLog) -> None:
        self._event_loop.call_soon_threadsafe(self._note_spoken, log)

    def _note(self, job: Job, progress: dict[str, Any]) -> None:
        self._wake()
        self._reported[job.job_id] = (job, progress)

    def _note_spoken(self, log: AttemptLog) -> None:
        self._wake()
        self._spoken.add(log)

    def _wake(self) -> None:
        if not self._reported and not self._spoken:
            self.woken.set()

    async def tick(self) -> float:
        if not self._reported and not self._spoken:
            return IDLE_SECONDS
        reported, self._reported = self._reported, {}
        spoken, self._spoken = {log for log in self._spoken if not log.is_closed}, set()
        try:
            async with self._database.transaction() as connection:
                if reported:
                    await JobRepository(connection).save_progress(
                        [(job.job_id, job.fence, dump_json(progress)) for job, progress in reported.values()]
                    )
                saved = await _save(connection, spoken)
        except Unavailable:
            self._spoken |= spoken
            raise
        for log, lines in saved:
            log.note_saved(lines)
            if log.unsaved:
                self._spoken.add(log)
        await asyncio.sleep(INTERVAL_SECONDS)
        return 0.0


async def _save(
    connection: AsyncConnection, logs: Collection[AttemptLog]
) -> list[tuple[AttemptLog, Sequence[LogLine]]]:
    found = await lines_of(connection, logs)
    lines = [line for _, said in found for line in said]
    if lines:
        await JobLogRepository(connection).add_held(lines, [log.job.claim_key for log in logs])
    return found
