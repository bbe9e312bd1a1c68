"""Submissions that arrive together are stored together: one statement, one commit, an answer to each after it.

A statement is under way, what comes meanwhile waits for the next one: so there are as many to a statement as the
database's pace makes of it, and one that comes alone is stored at once, in one round trip. What is wrong with one is
its own affair: it is checked before it joins, and where a statement of several fails, each is stored by itself. Nothing
that may have to wait for somebody else's transaction, or locks what others need, joins: unique keys, and files.

Job types are remembered, and it is the statement that makes sure that each is still published as it was when the job
was checked against it. Nobody is refused by what was remembered: it is read once more before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from perdure.core.job_factory import JobFactory, ReadyType
from perdure.core.submission import announce
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.errors import PerdureError, Unavailable
from perdure.models.file import possible_file_ids
from perdure.models.job import Job
from perdure.models.submission import FirstSubmission, IdempotencyKey
from perdure.repositories.job_insertion import Newcomer, add_at_once
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.job import JobCreate
from perdure.signals import Signals

MAX_TOGETHER = 200
MAX_BYTES = 1_048_576
"""So many jobs at most go into one statement, or so many bytes of them and one job."""
MAX_UNDER_WAY = 2
"""So many statements are under way at a time: while one commits, the next is made."""
MAX_REMEMBERED = 1_000
TRIES = 3
"""How often a job is checked anew because its type was published meanwhile, before it goes alone."""


class _Left(Enum):
    """Why a job was left out of a statement that was carried out."""

    OUTDATED = "its type is published otherwise than it was checked against"
    ALONE = "only by itself it can be told what is wrong"


class _Remembered(NamedTuple):
    """A type as it was published, and which version of it that was."""

    job_type: ReadyType
    version: str


_Outcome = Job | _Left | BaseException
Told = Callable[[Job | BaseException | None], None]
"""Is told of a job that is committed, or of what went wrong. None: nothing is stored, and it is to go another way."""


class _Waiting:
    """A job that is to be stored, and whoever waits for it, who is told in a turn of the loop of his own."""

    __slots__ = ("_tell", "newcomer")

    def __init__(self, newcomer: Newcomer, tell: Callable[[_Outcome], None]) -> None:
        self.newcomer = newcomer
        self._tell = tell

    def end(self, outcome: _Outcome) -> None:
        asyncio.get_running_loop().call_soon(self._tell, outcome)


def _settle(future: asyncio.Future[Job | _Left], outcome: _Outcome) -> None:
    if future.done():
        return
    if isinstance(outcome, asyncio.CancelledError):
        future.cancel()
    elif isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class JointSubmission:
    """Stores jobs by statements that they share."""

    def __init__(
        self, database: Database, factory: JobFactory, wakeup: Wakeup, signals: Signals, *, keys_kept: timedelta
    ) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup
        self._signals = signals
        self._keys_kept = keys_kept
        self._types: dict[str, _Remembered] = {}
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def store(
        self, sent: JobCreate, key: IdempotencyKey | None = None, submission: FirstSubmission | None = None
    ) -> Job | None:
        """The job that ``sent`` declares, once it is committed, or None where it must be stored by itself.

        Raises what is wrong with it. Under a ``key``, its id is that of the ``submission`` that is kept of it.
        """
        if sent.unique_key is not None or possible_file_ids(sent.payload):
            return None
        job_id = uuid7() if submission is None else submission.job_id
        remembered = self._types.get(sent.job_type)
        for _ in range(TRIES):
            try:
                job, version = await self._made(sent, job_id, remembered)
            except PerdureError:
                if key is None:
                    raise
                return None  # that the key was used for something else is to be said first
            told = asyncio.get_running_loop().create_future()
            self._join(_Waiting(Newcomer(job, version, key, submission), partial(_settle, told)))
            outcome = await told
            if isinstance(outcome, Job):
                return outcome
            if outcome is _Left.ALONE:
                return None
            remembered = None
        return None

    def store_soon(
        self, sent: JobCreate, tell: Told, key: IdempotencyKey | None = None, submission: FirstSubmission | None = None
    ) -> bool:
        """Like ``store``, for somebody who cannot wait: he is told afterwards. False, and nothing is done, where it
        takes more than what is remembered.
        """
        remembered = self._types.get(sent.job_type)
        if remembered is None or sent.unique_key is not None or possible_file_ids(sent.payload):
            return False
        job_id = uuid7() if submission is None else submission.job_id
        try:
            job = self._factory.create(sent, remembered.job_type, self._database.clock.now(), job_id=job_id)
        except PerdureError:
            return False
        newcomer = Newcomer(job, remembered.version, key, submission)
        self._join(_Waiting(newcomer, lambda outcome: tell(None if isinstance(outcome, _Left) else outcome)))
        return True

    async def _made(self, sent: JobCreate, job_id: UUID, remembered: _Remembered | None) -> tuple[Job, str]:
        """The job, and the version of its type."""
        now = self._database.clock.now()
        if remembered is not None:
            try:
                return self._factory.create(sent, remembered.job_type, now, job_id=job_id), remembered.version
            except PerdureError:
                pass  # by what is published now, it may be all right
        published = await self._read(sent.job_type)
        if published is None:
            return self._factory.create(sent, None, now), ""  # raises
        return self._factory.create(sent, published.job_type, now, job_id=job_id), published.version

    async def _read(self, name: str) -> _Remembered | None:
        async with self._database.snapshot() as connection:
            row = await JobTypeQueries(connection).get(name)
        if row is None:
            return None
        if len(self._types) >= MAX_REMEMBERED:
            self._types.clear()
        self._types[name] = _Remembered(ReadyType(row), row["version"])
        return self._types[name]

    def _join(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if len(self._under_way) < MAX_UNDER_WAY:
            self._under_way.add(asyncio.create_task(self._store_all_waiting()))

    async def _store_all_waiting(self) -> None:
        try:
            await self._store_waiting()
        finally:  # here, and not by a callback: who joins before that is called would count on a task that has ended
            self._under_way.discard(asyncio.current_task())

    async def _store_waiting(self) -> None:
        while self._waiting:
            together = self._next()
            try:
                self._tell(together, await self._stored(together))
            except Unavailable as error:
                for one in together:
                    one.end(Unavailable(error.detail))
            except DBAPIError:
                for one in together:
                    one.end(_Left.ALONE)
            except Exception as error:  # noqa: BLE001 (whoever waits is told, and raises it)
                for one in together:
                    one.end(error)
            except asyncio.CancelledError as error:
                for one in together:
                    one.end(error)
                raise

    def _next(self) -> list[_Waiting]:
        """Those that have waited longest; of two with one idempotency key, the second waits for the next statement."""
        together: list[_Waiting] = []
        left: list[_Waiting] = []
        keys: set[IdempotencyKey] = set()
        size = 0
        for one in self._waiting:
            key = one.newcomer.key
            size += len(one.newcomer.document)
            if len(together) == MAX_TOGETHER or (together and size > MAX_BYTES) or key in keys:
                left.append(one)
                continue
            together.append(one)
            if key is not None:
                keys.add(key)
        self._waiting = left
        return together

    async def _stored(self, together: list[_Waiting]) -> set[UUID]:
        kept_since = self._database.clock.now() - self._keys_kept
        async with self._database.statement() as driver:
            return await add_at_once(driver, [one.newcomer for one in together], kept_since)

    def _tell(self, together: list[_Waiting], stored: set[UUID]) -> None:
        jobs = [job for one in together if (job := one.newcomer.job).job_id in stored]
        announce(jobs, self._signals, self._wakeup)
        for one in together:
            job = one.newcomer.job
            if job.job_id in stored:
                one.end(job)
            else:
                self._types.pop(job.job_type, None)  # which of both it was is not known
                one.end(_Left.OUTDATED if one.newcomer.key is None else _Left.ALONE)
