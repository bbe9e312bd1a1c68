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
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from perdure.core.alike_submission import Batch, Outcomes, StoredBatch, store
from perdure.core.job_factory import JobFactory
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.errors import PerdureError, SubmissionInDoubt, Unavailable
from perdure.repositories.job_repository import JobRepository
from perdure.schemas.alike import Group
from perdure.schemas.job import JobCreate
from perdure.signals import Signals

PATIENCE_SECONDS = 10.0
"""How long a database that went away is waited for, before the jobs at hand are told that they are not stored."""
PAUSE_SECONDS = 0.25
UNDER_WAY = 2
"""So many batches are stored at a time."""

Groups = Sequence[Group]
"""A batch: jobs that are stored together, as they were read."""
_Storing = asyncio.Task[Outcomes]


class BulkSubmission:
    """Stores batch after batch."""

    def __init__(self, database: Database, factory: JobFactory, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup
        self._signals = signals

    async def store(self, batches: AsyncIterator[Groups]) -> AsyncIterator[Outcomes]:
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

    async def _start(self, batches: AsyncIterator[Groups], under_way: asyncio.Queue[_Storing | None]) -> None:
        """Begins with a batch as soon as it may, and ends with None, and what ended it."""
        rooms = asyncio.Semaphore(UNDER_WAY)
        last: _Storing | None = None
        patience_seconds, wants_keys = PATIENCE_SECONDS, False
        try:
            async for batch in batches:
                await rooms.acquire()
                wanted_keys, wants_keys = wants_keys, _wants_key(batch)
                if last is not None and (wants_keys or wanted_keys):
                    await asyncio.wait([last])
                if last is not None and last.done():
                    patience_seconds = _patience_after(last)
                last = asyncio.create_task(self._outcomes(batch, patience_seconds))
                last.add_done_callback(lambda _storing: rooms.release())
                await under_way.put(last)
        finally:
            await under_way.put(None)

    async def _outcomes(self, groups: Groups, patience_seconds: float) -> Outcomes:
        batch = Batch(groups, uuid7())
        if not batch.alike and not batch.others:
            return Outcomes(batch.ids, batch.unread)
        now = self._database.clock.now()
        until = time.monotonic() + patience_seconds
        in_doubt: StoredBatch | None = None  # what a transaction made whose commit may or may not have come to pass
        while True:
            try:
                async with self._database.transaction() as connection:
                    if in_doubt is None or not await _is_there(connection, in_doubt):
                        in_doubt = await store(connection, self._factory, batch, now)
                    stored = in_doubt
            except IntegrityError:  # the commit in doubt came in between
                if in_doubt is None:
                    raise
            except Unavailable as error:
                if time.monotonic() >= until:
                    return _untold(batch, in_doubt, error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                stored.announce(self._signals, self._wakeup)
                return stored.outcomes


async def _is_there(connection: AsyncConnection, batch: StoredBatch) -> bool:
    """Whether it was stored, by a commit that nobody heard of."""
    job_ids = batch.job_ids()
    return bool(job_ids and await JobRepository(connection).lock_all(job_ids))


def _untold(batch: Batch, in_doubt: StoredBatch | None, error: Unavailable) -> Outcomes:
    """What a batch came to that is not stored, or of which nobody knows."""
    if in_doubt is None:
        return Outcomes(batch.ids, dict.fromkeys(range(len(batch.ids)), error) | batch.unread)
    doubts: dict[int, PerdureError] = {place: SubmissionInDoubt(job_id) for place, job_id in enumerate(batch.ids)}
    return Outcomes(batch.ids, doubts | dict(in_doubt.outcomes.problems))


def _wants_key(groups: Groups) -> bool:
    others = (one for group in groups for one in group.others.values())
    return any(isinstance(one, JobCreate) and one.unique_key is not None for one in others)


def _patience_after(last: _Storing) -> float:
    """A database that stayed away is not waited for once more."""
    is_away = (
        not last.cancelled()
        and last.exception() is None
        and any(isinstance(one, Unavailable) for one in last.result().problems.values())
    )
    return 0.0 if is_away else PATIENCE_SECONDS
