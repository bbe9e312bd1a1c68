"""Stores many jobs in one transaction, most of which differ from one another in their payload alone.

What they have in common is checked once for all of a batch; of each, its payload is held against its type's schema.
Whatever is more than plain, or wrong in any way, is stored, or told what is wrong with it, as any other job is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from jsonschema_rs import Validator
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core import submission
from perdure.core.job_factory import JobFactory, ReadyType
from perdure.db.wakeup import Wakeup
from perdure.errors import PerdureError, ValidationFailed
from perdure.models.file import may_name_files
from perdure.models.job import Job
from perdure.models.job_ids import JobIds
from perdure.repositories.job_rows import copy, rows_like
from perdure.repositories.job_type_queries import JobTypeQueries
from perdure.schemas.alike import Alike, Form, Group
from perdure.schemas.job import JobCreate
from perdure.signals import Signals


@dataclass(slots=True)
class Outcomes:
    """What became of the jobs of a batch, each with the id in its place: stored, but for those with a problem."""

    ids: JobIds
    problems: Mapping[int, PerdureError]

    def __iter__(self) -> Iterator[UUID | PerdureError]:
        return (self.problems.get(place) or job_id for place, job_id in enumerate(self.ids))


class Batch:
    """Groups of jobs that are stored together, their ids chosen once, however often it is tried."""

    def __init__(self, groups: Sequence[Group], first_id: UUID) -> None:
        self.ids = JobIds(first_id, sum(group.length for group in groups))
        self.unread: dict[int, PerdureError] = {}
        """What was no job."""
        self.alike: list[Alike] = []
        self.others: dict[int, JobCreate] = {}
        offset = 0
        for group in groups:
            self.alike += [
                Alike(one.form, [place + offset for place in one.places], one.payloads, one.written)
                for one in group.alike
            ]
            for place, other in group.others.items():
                if isinstance(other, JobCreate):
                    self.others[place + offset] = other
                else:
                    self.unread[place + offset] = other
            offset += group.length


class StoredBatch:
    """What became of a batch, as far as its transaction goes."""

    def __init__(self, outcomes: Outcomes, jobs: Sequence[Job], alike: Sequence[tuple[Job, JobIds]]) -> None:
        self.outcomes = outcomes
        self._jobs = jobs
        self._alike = alike

    def job_ids(self) -> list[UUID]:
        """Of all that were stored."""
        return [job.job_id for job in self._jobs] + [job_id for _, ids in self._alike for job_id in ids]

    def announce(self, signals: Signals, wakeup: Wakeup) -> None:
        """Says aloud what was committed. Call it after the commit, and only then."""
        submission.announce(self._jobs, signals, wakeup)
        for job, ids in self._alike:
            submission.announce_alike(job, ids, signals, wakeup)


async def store(connection: AsyncConnection, factory: JobFactory, batch: Batch, now: datetime) -> StoredBatch:
    """Stores what can be stored, in the caller's transaction; what is wrong with one keeps no other one out."""
    others, ids = dict(batch.others), batch.ids
    plans = await _plans(connection, factory, {one.form for one in batch.alike}, now)
    rows: list[bytes] = []
    stored: list[tuple[Job, JobIds]] = []
    for alike in batch.alike:
        plan = plans.get(alike.form)
        plain = _plain(alike, plan, others)
        if plan is not None and plain.places:
            its_ids = ids.only(plain.places)
            rows += rows_like(plan.job, its_ids.as_bytes(), plain.written)
            stored.append((plan.job, its_ids))
    made: submission.Made = []
    if others:
        made = await submission.store(connection, factory, [(ids[place], others[place]) for place in others], now)
    if rows:
        await copy(connection, rows)
    told = dict(zip(others, made, strict=True))
    problems = batch.unread | {place: one for place, one in told.items() if isinstance(one, PerdureError)}
    return StoredBatch(Outcomes(ids, problems), submission.jobs_of(made), stored)


class _Plan(NamedTuple):
    """How the jobs of a form are stored: one of them, and what their payloads are held against."""

    job: Job
    validator: Validator


async def _plans(
    connection: AsyncConnection, factory: JobFactory, forms: AbstractSet[Form], now: datetime
) -> Mapping[Form, _Plan]:
    """A plan for each form of which any job can be stored."""
    published = await JobTypeQueries(connection).named({form.sent.job_type for form in forms}) if forms else {}
    plans: dict[Form, _Plan] = {}
    for form in forms:
        if (row := published.get(form.sent.job_type)) is not None:
            job_type = ReadyType(row)
            with suppress(ValidationFailed):  # each of its jobs is told, with what is wrong with its payload
                plans[form] = _Plan(factory.pattern(form.sent, job_type, now), job_type.validator)
    return plans


def _plain(alike: Alike, plan: _Plan | None, others: dict[int, JobCreate]) -> Alike:
    """Those that can be stored as they are; the rest goes to ``others``, with what may name files."""
    if plan is not None and all(map(plan.validator.is_valid, alike.payloads)) and not _may_name_files(alike.written):
        return alike
    places: list[int] = []
    payloads: list[Any] = []
    written: list[bytes] = []
    for number, (place, payload, text) in enumerate(zip(alike.places, alike.payloads, alike.written, strict=True)):
        if plan is not None and plan.validator.is_valid(payload) and not may_name_files(text):
            places.append(place)
            payloads.append(payload)
            written.append(text)
        else:
            others[place] = alike.as_sent(number)
    return Alike(alike.form, places, payloads, written)


def _may_name_files(written: Sequence[bytes]) -> bool:
    return may_name_files(b"".join(written))
