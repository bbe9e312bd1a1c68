"""Gives due schedules their turn: each slot becomes a job, or a note why it did not. Any process may; none leads.

All that a turn comes to is committed at once. A schedule whose job can no longer be made says so and goes on: its
slots are refused until it can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.core.cron import Cron
from perdure.core.job_factory import JobFactory
from perdure.core.schedule_template import Template
from perdure.core.submission import announce
from perdure.db.session import Database
from perdure.db.wakeup import Wakeup
from perdure.errors import InvalidInput
from perdure.models.file import FileRole
from perdure.models.job import Job
from perdure.models.schedule import MAX_SLOTS, Overlap, Schedule, Slot, SlotOutcome
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.schedule_repository import ScheduleRepository
from perdure.signals import ScheduleFailed, Signals, SlotsMissed

BATCH = 20
"""Schedules that get their turn in one transaction."""
_UNREADABLE = "its job is of a shape that this version does not take; set the schedule anew"


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a turn comes to: the schedule after it, its slots, and the jobs of those that get one."""

    schedule: Schedule
    slots: Sequence[Slot] = ()
    jobs: Mapping[datetime, Job] = field(default_factory=dict)
    files: Sequence[UUID] = ()


class Scheduling:
    """The turns of schedules, as many as are due."""

    def __init__(self, database: Database, factory: JobFactory, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._factory = factory
        self._wakeup = wakeup
        self._signals = signals

    async def take_turns(self) -> float | None:
        """Gives up to ``BATCH`` due schedules their turn; returns in how many seconds the next one is due, if any."""
        async with self._database.transaction() as connection:
            schedules = ScheduleRepository(connection)
            due, now = await schedules.lock_due(BATCH)
            turns: list[_Turn] = []
            jobs: list[Job] = []
            if now is not None:
                busy = await schedules.busy_among([one.name for one in due if one.overlap is Overlap.SKIP])
                turns = [await self._turn(connection, one, now, busy=one.name in busy) for one in due]
                jobs = await _store(connection, turns)
            next_due = await schedules.seconds_until_next_due()
        self._announce(turns, jobs)
        return next_due

    async def _turn(self, connection: AsyncConnection, schedule: Schedule, now: datetime, *, busy: bool) -> _Turn:
        try:
            cron = Cron(schedule.expression, schedule.time_zone)
        except InvalidInput as failure:  # another machine could: it knows more time zones, or has a newer cronsim
            return _Turn(schedule.postponed(now, failure.detail))
        outcomes = schedule.deal(cron.within(schedule.settled_until, now, MAX_SLOTS), now, busy=busy)
        error: str | None = None
        jobs: dict[datetime, Job] = {}
        files: list[UUID] = []
        wanted = [slot_at for slot_at, outcome in outcomes.items() if outcome is SlotOutcome.SUBMITTED]
        if wanted:
            try:
                template = await Template.read(connection, self._factory, schedule.job)
                jobs = {slot_at: template.job_at(slot_at, now) for slot_at in wanted}
                files = list(template.files)
            except (InvalidInput, ValidationError) as refusal:
                error = refusal.detail if isinstance(refusal, InvalidInput) else _UNREADABLE
                outcomes |= dict.fromkeys(wanted, SlotOutcome.REFUSED)
        slots = [
            Slot(
                name=schedule.name,
                slot_at=slot_at,
                outcome=outcome,
                job_id=jobs[slot_at].job_id if slot_at in jobs else None,
            )
            for slot_at, outcome in outcomes.items()
        ]
        return _Turn(schedule.settled(now, next(cron.after(now), None), error), slots, jobs, files)

    def _announce(self, turns: Sequence[_Turn], jobs: Sequence[Job]) -> None:
        announce(jobs, self._signals, self._wakeup)
        for turn in turns:
            missed = Counter(slot.outcome for slot in turn.slots)[SlotOutcome.MISSED]
            if missed:
                self._signals.emit(SlotsMissed(turn.schedule.name, missed))
            if turn.schedule.last_error is not None:
                self._signals.emit(ScheduleFailed(turn.schedule.name, turn.schedule.last_error))


async def _store(connection: AsyncConnection, turns: Sequence[_Turn]) -> list[Job]:
    """Writes all of it, and returns the jobs: those of slots that nobody had dealt with before."""
    schedules = ScheduleRepository(connection)
    fresh = await schedules.add_slots([slot for turn in turns for slot in turn.slots])
    wanted = {
        slot.job_id: (slot, turn)
        for turn in turns
        for slot in turn.slots
        if slot.job_id is not None and (slot.name, slot.slot_at) in fresh
    }
    jobs = [turn.jobs[slot.slot_at] for slot, turn in wanted.values()]
    stored = await JobRepository(connection).add(jobs) if jobs else []
    links = [(job.job_id, file_id) for job in stored for file_id in wanted[job.job_id][1].files]
    if links:
        await FileRepository(connection).link(links, FileRole.INPUT)
    left_out = wanted.keys() - {job.job_id for job in stored}
    if left_out:  # a live job has their unique key
        await schedules.note_overlap([wanted[job_id][0] for job_id in left_out])
    await schedules.settle([turn.schedule for turn in turns])
    return stored
