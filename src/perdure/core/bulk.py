"""Many jobs, as they come: a transaction each few hundred, and an answer each, in order, once it is committed.

What is wrong with one of them loses no other one. A database that goes away is waited for, and what was under way is
sent to it once more: a commit that nobody heard of is noticed by its jobs' ids, so that nothing is stored twice. When
it stays away, the jobs at hand are told so, and those after them, until it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from perdure.core import submission
from perdure.core.job_factory import JobFactory
from perdure.core.submission import Made
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.errors import PerdureError, SubmissionInDoubt, Unavailable
from perdure.models.job import Job
from perdure.repositories.job_repository import JobRepository
from perdure.schemas.job import JobCreate
from perdure.signals import Signals

PATIENCE_SECONDS = 10.0
"""How long a database that went away is waited for, before the jobs at hand are told that they are not stored."""
PAUSE_SECONDS = 0.25
UNDER_WAY = 2
"""So many batches are stored at a time."""

Sent = JobCreate | PerdureError
"""A job that was sent, or why what was sent is none."""
_Storing = asyncio.Task[list[Job | PerdureError]]


class BulkSubmission:
    """Stores batch after batch."""

    def __init__(self, database: Database, factory: JobFactory, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup
        self._signals = signals

    async def store(self, batches: AsyncIterator[Sequence[Sent]]) -> AsyncIterator[list[Job | PerdureError]]:
        """What became of each batch, in its order: of every one of its jobs, or why it is not stored.

        While one is stored the next is made ready and sent too, unless it might take a unique key from it.
        """
        under_way: asyncio.Queue[_Storing | None] = asyncio.Queue(UNDER_WAY)
        starting = asyncio.create_task(self._start(batches, under_way))
        storing: _Storing | None = None
        try:
            while storing := await under_way.get():
                yield await storing
            await starting
        finally:
            starting.cancel()
            while storing is not None:
                storing.cancel()
                storing = None if under_way.empty() else under_way.get_nowait()

    async def _start(self, batches: AsyncIterator[Sequence[Sent]], under_way: asyncio.Queue[_Storing | None]) -> None:
        """Begins with a batch as soon as it may, and ends with None, and what ended it."""
        rooms = asyncio.Semaphore(UNDER_WAY)
        last: _Storing | None = None
        patience_seconds, wants_keys = PATIENCE_SECONDS, False
        try:
            async for batch in batches:
                await rooms.acquire()
                wanted_keys, wants_keys = wants_keys, any(_wants_key(one) for one in batch)
                if last is not None and (wants_keys or wanted_keys):
                    await asyncio.wait([last])
                if last is not None and last.done():
                    patience_seconds = _patience_after(last)
                last = asyncio.create_task(self._outcomes(batch, patience_seconds))
                last.add_done_callback(lambda _storing: rooms.release())
                await under_way.put(last)
        finally:
            await under_way.put(None)

    async def _outcomes(self, batch: Sequence[Sent], patience_seconds: float) -> list[Job | PerdureError]:
        sent = [(uuid7(), one) for one in batch if isinstance(one, JobCreate)]
        made = iter(await self._stored(sent, patience_seconds) if sent else [])
        return [one if isinstance(one, PerdureError) else next(made) for one in batch]

    async def _stored(self, sent: submission.Sent, patience_seconds: float) -> Made:
        now = self._database.clock.now()
        until = time.monotonic() + patience_seconds
        in_doubt: Made = []  # what a transaction made whose commit may or may not have come to pass
        while True:
            try:
                async with self._database.transaction() as connection:
                    jobs = [job.job_id for job in submission.jobs_of(in_doubt)]
                    if jobs and await JobRepository(connection).lock_all(jobs):
                        made = in_doubt
                    else:
                        made = await submission.store(connection, self._factory, sent, now)
                    in_doubt = made
            except IntegrityError:  # the commit in doubt came in between
                if not in_doubt:
                    raise
            except Unavailable as error:
                if time.monotonic() >= until:
                    return [_untold(one) for one in in_doubt] or [error] * len(sent)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                submission.announce(submission.jobs_of(made), self._signals, self._wakeup)
                return made


def _untold(one: Job | PerdureError) -> PerdureError:
    return SubmissionInDoubt(one.job_id) if isinstance(one, Job) else one


def _wants_key(one: Sent) -> bool:
    return isinstance(one, JobCreate) and one.unique_key is not None


def _patience_after(last: _Storing) -> float:
    """A database that stayed away is not waited for once more."""
    is_away = (
        not last.cancelled() and last.exception() is None and any(isinstance(one, Unavailable) for one in last.result())
    )
    return 0.0 if is_away else PATIENCE_SECONDS
