"""Pauses and resumes queues. One command, one transaction; a pause is answered once it holds for everybody."""

from __future__ import annotations

import asyncio
import time

from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Unavailable
from perdure.models.queue import PausedQueue
from perdure.repositories.queue_repository import QueueRepository
from perdure.signals import QueuePaused, QueueResumed, Signals

CLAIMS_END_SECONDS = 5.0
"""How long a pause waits for the claims under way. They take milliseconds, unless a process hangs amid one."""
LOOK_SECONDS = 0.01


class QueueCommands:
    """The writing verbs on queues. ``by`` is who asks: the name of an API key, or "local"."""

    def __init__(self, database: Database, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._wakeup = wakeup
        self._signals = signals

    async def pause(self, name: str, by: str, reason: str | None = None) -> PausedQueue:
        """No job of the queue starts any more once this returns; what runs goes on, what waits stays.

        To pause it again changes nothing. Raises ``Unavailable`` when claims that began before do not end.
        """
        wanted = PausedQueue(name, self._database.clock.now(), by, reason)
        async with self._database.transaction() as connection:
            paused = await QueueRepository(connection).pause(wanted)
        if paused == wanted:
            self._signals.emit(QueuePaused(name, by, reason))
        await self._wait_for_claims()
        return paused

    async def resume(self, name: str, by: str) -> None:
        """Lets the queue give jobs again, at once. To resume one that is not paused changes nothing."""
        async with self._database.transaction() as connection:
            was_paused = await QueueRepository(connection).resume(name)
        if was_paused:
            self._signals.emit(QueueResumed(name, by))
            self._wakeup.ring(Topic.JOBS_READY)

    async def _wait_for_claims(self) -> None:
        """Returns once every claim has ended that may have begun before the pause was committed.

        So that no claim has to lock anything for the sake of pauses.
        """
        end = time.monotonic() + CLAIMS_END_SECONDS
        writing = await self._writing()
        while writing := writing & await self._writing():
            if time.monotonic() >= end:
                raise Unavailable(
                    "The queue is paused, but a claim that began before has not ended: a job may still start. "
                    "Pause it again to be sure."
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def _writing(self) -> set[str]:
        async with self._database.snapshot() as connection:
            return await QueueRepository(connection).writing()
