"""Lets many requests wait for jobs to finish, at the cost of one query per wake-up for all of them together."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.repositories.job_queries import JobQueries

POLL_SECONDS = 1.0
"""How late a finish is noticed when its wake-up was lost."""


class FinishedJobs:
    """Run ``run()`` as a task; ``wait`` from any number of requests."""

    def __init__(self, database: Database, wakeup: Wakeup) -> None:
        self._database = database
        self._woken = wakeup.event(Topic.JOBS_FINAL)
        self._waiting: Counter[UUID] = Counter()
        self._changed = asyncio.Condition()
        self._finished: set[UUID] = set()

    async def wait(self, job_id: UUID, timeout_seconds: float) -> None:
        """Returns once the job is final, or when the time is up."""
        self._waiting[job_id] += 1
        self._finished.discard(job_id)  # it may have been retried since
        self._woken.set()  # it may be final already
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: job_id in self._finished)
        except TimeoutError:
            return
        finally:
            self._waiting[job_id] -= 1
            if self._waiting[job_id] <= 0:
                del self._waiting[job_id]

    async def run(self) -> None:
        while True:
            await self._next_look()
            if self._waiting:
                await self._look()

    async def _next_look(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS if self._waiting else None):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def _look(self) -> None:
        try:
            async with self._database.snapshot() as connection:
                self._finished = await JobQueries(connection).finished_among(list(self._waiting))
        except Unavailable:
            await asyncio.sleep(POLL_SECONDS)
            return
        if self._finished:
            async with self._changed:
                self._changed.notify_all()
