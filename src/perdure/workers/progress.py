"""Writes progress: the latest of every attempt that reported any, in one statement, at most once a second."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from perdure.db.session import Database, dump_json
from perdure.models.job import Job
from perdure.repositories.job_repository import JobRepository
from perdure.signals import Signals
from perdure.workers.loop import Loop

INTERVAL_SECONDS = 1.0
IDLE_SECONDS = 60.0


class ProgressWriter(Loop):
    """``report`` from any thread; the loop writes."""

    def __init__(self, database: Database, signals: Signals) -> None:
        super().__init__(signals)
        self._database = database
        self._event_loop = asyncio.get_running_loop()
        self._reported: dict[UUID, tuple[Job, dict[str, Any]]] = {}

    def report(self, job: Job, progress: dict[str, Any]) -> None:
        self._event_loop.call_soon_threadsafe(self._note, job, progress)

    def _note(self, job: Job, progress: dict[str, Any]) -> None:
        if not self._reported:
            self.woken.set()
        self._reported[job.job_id] = (job, progress)

    async def tick(self) -> float:
        if not self._reported:
            return IDLE_SECONDS
        reported, self._reported = self._reported, {}
        async with self._database.transaction() as connection:
            await JobRepository(connection).save_progress(
                [(job.job_id, job.fence, dump_json(progress)) for job, progress in reported.values()]
            )
        await asyncio.sleep(INTERVAL_SECONDS)
        return 0.0
