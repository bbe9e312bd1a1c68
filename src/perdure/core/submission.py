"""From what was sent to stored jobs, one or hundreds: one look at their types and their files, one INSERT.

Whoever submits comes through here, in a transaction of its own. Jobs are named by ids that the caller chose, so that
what was sent once more, after a commit that nobody heard of, can be told from what was stored before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.job_factory import JobFactory, ReadyType
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import PerdureError, UniqueKeyTaken
from perdure.models.file import FileRole, possible_file_ids
from perdure.models.job import Job
from perdure.models.lifecycle import JobStatus
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.job import JobCreate
from perdure.signals import JobsSubmitted, Signals

Sent = Sequence[tuple[UUID, JobCreate]]
"""Jobs, each with the id that it is to have."""
Made = list[Job | PerdureError]
"""What each of the sent came to: the job, or why there is none."""


async def store(
    connection: AsyncConnection, factory: JobFactory, sent: Sent, now: datetime, *, copy_of: UUID | None = None
) -> Made:
    """Stores what can be stored, in the caller's transaction; what is wrong with one keeps no other one out.

    ``copy_of``: the job whose edited copies they are.
    """
    made, files = await declare(connection, factory, sent, now)
    if copy_of is not None:
        made = [replace(one, copy_of=copy_of) if isinstance(one, Job) else one for one in made]
    if refused := await _add(JobRepository(connection), jobs_of(made)):
        made = [refused.get(one.job_id, one) if isinstance(one, Job) else one for one in made]
    if links := [(job.job_id, file_id) for job in jobs_of(made) if files for file_id in files.get(job.job_id, ())]:
        await FileRepository(connection).link(links, FileRole.INPUT)
    return made


async def declare(
    connection: AsyncConnection, factory: JobFactory, sent: Sent, now: datetime
) -> tuple[Made, Mapping[UUID, AbstractSet[UUID]]]:
    """The jobs as they are declared, and the files that any of them name, which stay until the transaction ends."""
    named = await JobTypeQueries(connection).named({one.job_type for _, one in sent})
    published = {name: ReadyType(row) for name, row in named.items()}
    possible = {job_id: found for job_id, one in sent if (found := possible_file_ids(one.payload))}
    files: dict[UUID, AbstractSet[UUID]] = {}
    if possible:
        known = await FileRepository(connection).lock_named(set().union(*possible.values()))
        files = {job_id: found & known for job_id, found in possible.items()}
    made: Made = []
    for job_id, one in sent:
        its_files = files.get(job_id, _NONE) if files else _NONE
        try:
            made.append(factory.create(one, published.get(one.job_type), now, its_files, job_id))
        except PerdureError as error:
            made.append(error)
    return made, files


_NONE: AbstractSet[UUID] = frozenset()


def jobs_of(made: Made) -> list[Job]:
    return [one for one in made if isinstance(one, Job)]


def announce(jobs: Sequence[Job], signals: Signals, wakeup: Wakeup) -> None:
    """Says aloud what was committed. Call it after the commit, and only then."""
    if jobs:
        job_ids, job_types, queues = zip(*((job.job_id, job.job_type, job.queue) for job in jobs), strict=True)
        signals.emit(JobsSubmitted(job_ids, job_types, queues))
        _ring(jobs, wakeup)


def announce_alike(one: Job, job_ids: Sequence[UUID], signals: Signals, wakeup: Wakeup) -> None:
    """``announce``, for jobs like this one."""
    signals.emit(JobsSubmitted(job_ids, (one.job_type,) * len(job_ids), (one.queue,) * len(job_ids)))
    _ring([one], wakeup)


def _ring(jobs: Sequence[Job], wakeup: Wakeup) -> None:
    ready = {job.status is JobStatus.QUEUED for job in jobs}
    wakeup.ring(*(Topic.JOBS_READY if one else Topic.JOBS_WAITING for one in ready))
    if any(job.expires_at is not None for job in jobs):
        wakeup.ring(Topic.JOBS_EXPIRING)


async def _add(repository: JobRepository, jobs: Sequence[Job]) -> dict[UUID, UniqueKeyTaken]:
    """Adds the jobs; returns those that another live job's key kept out. One whose holder just ended is tried again."""
    refused: dict[UUID, UniqueKeyTaken] = {}
    left = list(jobs)
    while left:
        stored = await repository.add(left)
        if len(stored) == len(left):
            break
        added = {job.job_id for job in stored}
        left = [job for job in left if job.job_id not in added]
        holders = await repository.unique_holders({job.unique_key for job in left if job.unique_key is not None})
        refused |= {job.job_id: UniqueKeyTaken(holders[key]) for job in left if (key := job.unique_key) in holders}
        left = [job for job in left if job.job_id not in refused]
    return refused
