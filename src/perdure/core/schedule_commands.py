"""What can be asked of schedules: look, set, delete. What is set is judged as a submission of its job would be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.cron import Cron
from perdure.core.job_factory import JobFactory
from perdure.core.schedule_template import Template
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import FieldProblem, NotFound, ValidationFailed
from perdure.models.schedule import Schedule
from perdure.repositories.schedule_queries import ScheduleQueries
from perdure.repositories.schedule_repository import ScheduleRepository
from perdure.schemas.schedule import ScheduleWrite

NEXT_RUNS = 5
LAST_RUNS = 20


@dataclass(frozen=True, slots=True)
class Outlook:
    """A schedule with what it means: in words, the times that come next, and what became of the latest slots."""

    schedule: Schedule
    description: str
    next_runs: Sequence[datetime]
    last_runs: Sequence[RowMapping]
    is_new: bool = False


class ScheduleCommands:
    """The verbs on schedules, each its own unit of work."""

    def __init__(self, database: Database, factory: JobFactory, wakeup: Wakeup) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup

    async def list(self) -> Sequence[Schedule]:
        """Every schedule, in order of name."""
        async with self._database.snapshot() as connection:
            return await ScheduleQueries(connection).all()

    async def get(self, name: str) -> Outlook:
        async with self._database.snapshot() as connection:
            queries = ScheduleQueries(connection)
            schedule = await queries.get(name)
            if schedule is None:
                raise _not_found()
            return await self._outlook(connection, schedule)

    async def set(self, name: str, sent: ScheduleWrite, *, dry_run: bool) -> Outlook:
        """Stores the schedule in the place of the one of its name, if there is one; a dry run judges it and no more.

        Raises ``ValidationFailed`` where expression, time zone or job are wrong, ``UnknownJobType`` as a submission.
        """
        cron = Cron(sent.expression, sent.time_zone)
        now = self._database.clock.now()
        declared = Schedule(
            name=name,
            expression=sent.expression,
            time_zone=sent.time_zone,
            job=_as_sent(sent),
            catch_up=sent.catch_up,
            overlap=sent.overlap,
            paused=sent.paused,
            created_at=now,
            updated_at=now,
            settled_until=now,
        )
        async with self._database.transaction() as connection:
            await self._check_job(connection, declared, now)
            schedules = ScheduleRepository(connection)
            before = await schedules.lock(name)
            schedule = declared.replacing(before)
            if not schedule.paused:
                schedule = replace(schedule, next_slot_at=next(cron.after(schedule.settled_until), None))
            if not dry_run:
                await schedules.save(schedule)
            outlook = await self._outlook(connection, schedule)
        if not dry_run:
            self._wakeup.ring(Topic.SCHEDULES)
        return replace(outlook, is_new=before is None)

    async def set_paused(self, name: str, *, paused: bool) -> Schedule:
        """Pauses or resumes the schedule as it is. Its job is not judged: one that is wrong is a reason to pause it."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            schedules = ScheduleRepository(connection)
            schedule = await schedules.lock(name)
            if schedule is None:
                raise _not_found()
            schedule = replace(schedule, paused=paused, updated_at=now, next_slot_at=None)
            if not paused:
                cron = Cron(schedule.expression, schedule.time_zone)
                schedule = replace(schedule, next_slot_at=next(cron.after(schedule.settled_until), None))
            await schedules.save(schedule)
        self._wakeup.ring(Topic.SCHEDULES)
        return schedule

    async def delete(self, name: str) -> None:
        """Its jobs stay, and so does what is known of its slots."""
        async with self._database.transaction() as connection:
            if not await ScheduleRepository(connection).delete(name):
                raise _not_found()

    async def _check_job(self, connection: AsyncConnection, schedule: Schedule, now: datetime) -> None:
        try:
            (await Template.read(connection, self._factory, schedule.job)).job_at(now, now)
        except ValidationFailed as error:
            raise ValidationFailed(
                [FieldProblem(f"job.{one.field}", one.message, one.code) for one in error.problems]
            ) from None

    async def _outlook(self, connection: AsyncConnection, schedule: Schedule) -> Outlook:
        cron = Cron(schedule.expression, schedule.time_zone)
        now = self._database.clock.now()
        return Outlook(
            schedule=schedule,
            description=cron.description,
            next_runs=[] if schedule.paused else cron.upcoming(now, NEXT_RUNS),
            last_runs=await ScheduleQueries(connection).latest_slots(schedule.name, LAST_RUNS),
        )


def _as_sent(sent: ScheduleWrite) -> dict[str, Any]:
    job: Any = sent.job  # checked, and kept as sent
    return dict(job)


def _not_found() -> NotFound:
    return NotFound("There is no schedule of this name. `GET /v1/schedules` lists those there are.")
