"""Many jobs, as they come: a transaction each few hundred, and an answer each, in order, once it is committed.

What is wrong with one of them loses no other one. A database that goes away is waited for, and what was under way is
sent to it once more: a commit that nobody heard of is noticed by its jobs' ids, so that nothing is stored twice. When
it stays away, the jobs at hand are told so, and those after them, until it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

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

Sent = JobCreate | PerdureError
"""A job that was sent, or why what was sent is none."""


class BulkSubmission:
    """Stores batch after batch."""

    def __init__(self, database: Database, factory: JobFactory, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup
        self._signals = signals

    async def store(self, batches: AsyncIterator[Sequence[Sent]]) -> AsyncIterator[list[Job | PerdureError]]:
        """What became of each batch, in its order: of every one of its jobs, or why it is not stored."""
        patience_seconds = PATIENCE_SECONDS
        async for batch in batches:
            sent = {uuid7(): one for one in batch if isinstance(one, JobCreate)}
            made = await self._stored(sent, patience_seconds) if sent else {}
            is_away = any(isinstance(one, Unavailable) for one in made.values())
            patience_seconds = 0.0 if is_away else PATIENCE_SECONDS
            outcomes = iter(made.values())
            yield [one if isinstance(one, PerdureError) else next(outcomes) for one in batch]

    async def _stored(self, sent: Mapping[UUID, JobCreate], patience_seconds: float) -> Made:
        now = self._database.clock.now()
        until = time.monotonic() + patience_seconds
        in_doubt: Made = {}  # what a transaction made whose commit may or may not have come to pass
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
                    return {job_id: _untold(job_id, in_doubt, error) for job_id in sent}
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                submission.announce(submission.jobs_of(made), self._signals, self._wakeup)
                return made


def _untold(job_id: UUID, in_doubt: Made, error: Unavailable) -> PerdureError:
    one = in_doubt.get(job_id, error)
    return SubmissionInDoubt(job_id) if isinstance(one, Job) else one
