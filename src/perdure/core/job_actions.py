"""Actions on all the jobs that match a filter: previewed, asked for, carried out in batches, stopped.

A batch is one transaction: the action is held, so that nobody else carries it out meanwhile; the next jobs that match
are locked, and asked again whether they do; what is done to them goes through the same models and the same Recorder as
for a single job; and how far the action has come is written with it. Whoever dies in between leaves all of it undone,
and the next who takes the action goes on there: no job is acted on twice, and none is left out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar, assert_never
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from perdure.core.recording import Recorded, Recorder
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Conflict, NotFound
from perdure.models.job import Job
from perdure.models.job_action import ActionPreview, ActionSkipReason, ActionVerb, JobAction, skip_reason
from perdure.repositories.job_action_repository import JobActionRepository
from perdure.repositories.job_filter import JobFilter
from perdure.repositories.job_matches import JobMatches, Match
from perdure.repositories.job_repository import JobRepository
from perdure.repositories.job_search import JobSearch
from perdure.repositories.limit_repository import LimitRepository
from perdure.repositories.unique_keys import free_ones
from perdure.schemas.job_action import JobActionCreate
from perdure.schemas.job_filter import JobFilterShape
from perdure.signals import JobActionAdvanced, Signals

BATCH = 200
"""Jobs acted on in one transaction."""
STRETCH = 20_000
"""Jobs looked at in one statement, whether they match or not: some 20 ms."""
PREVIEW_LIMIT = 10_000
"""A preview counts no more jobs that match."""
PREVIEW_STRETCH = 1_000
"""So many of them are read by a statement."""
PREVIEW_SECONDS = 0.1
"""No stretch is begun later: a page waits for it."""
SAMPLE = 10

Judged = TypeVar("Judged", Match, Job)


@dataclass(frozen=True, slots=True)
class _Acted:
    """What was done to the jobs of a batch, and to how many; the others are counted by why not."""

    recorded: Recorded
    asked_to_stop: Sequence[UUID]
    skipped: Counter[str]

    @property
    def done(self) -> int:
        return len(self.recorded.held) + len(self.asked_to_stop)


class JobActions:
    """The verbs on actions, each its own unit of work."""

    def __init__(self, database: Database, recorder: Recorder, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._recorder = recorder
        self._wakeup = wakeup
        self._signals = signals

    async def preview(self, sent: JobActionCreate) -> ActionPreview:
        """Counts what the action would do just now, in bounded time."""
        until = time.monotonic() + PREVIEW_SECONDS
        matched, skipped, sample = 0, Counter[str](), list[UUID]()
        keys: set[str] = set()
        async with self._database.snapshot() as connection:
            wanted = JobFilter.read(sent.filter)
            below: UUID | None = None
            while True:
                most = min(PREVIEW_STRETCH, PREVIEW_LIMIT - matched)
                stretch = await JobSearch(connection, wanted).matches(below, most)
                able, left = _sorted_out(sent.action, stretch.matches)
                if sent.action is ActionVerb.RETRY:
                    free = await _with_free_keys(connection, able, keys)
                    left += Counter({ActionSkipReason.UNIQUE_KEY_TAKEN.value: len(able) - len(free)})
                    able = free
                matched += len(stretch.matches)
                skipped += left
                sample += [match.job_id for match in able[: SAMPLE - len(sample)]]
                below = stretch.below
                if stretch.is_last or matched >= PREVIEW_LIMIT or time.monotonic() >= until:
                    break
        return ActionPreview(
            verb=sent.action,
            matched=matched,
            done=matched - skipped.total(),
            skipped=skipped,
            is_complete=stretch.is_last,
            sample=tuple(sample),
        )

    async def start(self, sent: JobActionCreate, requested_by: str) -> JobAction:
        """Stores the action and returns it once it is committed; whoever runs actions begins with it."""
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            action = JobAction(
                action_id=uuid7(),
                verb=sent.action,
                filter=sent.filter.model_dump(mode="json", exclude_defaults=True),
                reason=sent.reason,
                requested_by=requested_by,
                below=await JobMatches(connection, JobFilter()).start(),
                created_at=now,
                advanced_at=now,
            )
            await JobActionRepository(connection).add(action)
        self._wakeup.ring(Topic.ACTIONS)
        return action

    async def stop(self, action_id: UUID, stopped_by: str) -> JobAction:
        """Ends a running action after the batch at hand; what is done stays done."""
        async with self._database.transaction() as connection:
            actions = JobActionRepository(connection)
            action = await actions.lock(action_id)
            if action is None:
                raise NotFound("There is no action with this id.")
            if not action.is_running:
                raise Conflict(f"The action is {action.status} already; there is nothing left to stop.")
            stopped = action.stop(stopped_by, self._database.clock.now())
            await actions.save(stopped)
        self._emit(stopped)
        return stopped

    async def advance(self) -> JobAction | None:
        """Carries out the next batch of an action and returns that as it is then; None where none is to be had."""
        async with self._database.transaction() as connection:
            actions = JobActionRepository(connection)
            action = await actions.take()
            if action is None:
                return None
            now = self._database.clock.now()
            wanted = _filter_of(action)
            if wanted is None:
                await actions.save(action.put_off(now))
                return None
            action, acted = await self._carry_out(connection, action, wanted, now)
            await actions.save(action)
        self._recorder.announce(acted.recorded)
        if acted.asked_to_stop:
            self._wakeup.ring(Topic.CANCELS)
        self._emit(action)
        return action

    async def _carry_out(
        self, connection: AsyncConnection, action: JobAction, wanted: JobFilter, now: datetime
    ) -> tuple[JobAction, _Acted]:
        """The next batch of the action: how that stands then, and what was done."""
        matches = JobMatches(connection, wanted)
        stretch = await matches.next(action.below, STRETCH, BATCH)
        jobs = await matches.lock([match.job_id for match in stretch.matches])
        acted = await self._act(connection, action.verb, jobs, now)
        action = action.advance(stretch.below, acted.done, acted.skipped, now)
        return (action.finish(now) if stretch.is_last else action), acted

    async def _act(self, connection: AsyncConnection, verb: ActionVerb, jobs: Sequence[Job], now: datetime) -> _Acted:
        """Does to each of the jobs, which are locked, what the verb does to a single one, or counts why not."""
        able, skipped = _sorted_out(verb, jobs)
        running: list[UUID] = []
        match verb:
            case ActionVerb.CANCEL:
                steps = [job.cancel(now) for job in able if job.is_waiting]
                running = [job.job_id for job in able if not job.is_waiting]
                if running:
                    await JobRepository(connection).request_cancel(running, now)
            case ActionVerb.RETRY:
                await LimitRepository(connection).limit([job.job_id for job in able])
                steps = [job.restart(now) for job in able]
            case _:  # pragma: no cover
                assert_never(verb)
        recorded = await self._recorder.record(connection, steps, now)
        if recorded.refused:  # nobody else can have touched them: another live job has the unique key
            skipped[ActionSkipReason.UNIQUE_KEY_TAKEN.value] += len(recorded.refused)
        return _Acted(replace(recorded, refused=[]), running, skipped)

    def _emit(self, action: JobAction) -> None:
        skipped = sum(action.skipped.values())
        self._signals.emit(
            JobActionAdvanced(action.action_id, action.verb.value, action.status.value, action.done, skipped)
        )


def _filter_of(action: JobAction) -> JobFilter | None:
    """None for a filter of newer code, which knows more conditions: the action is left to processes that run that."""
    try:
        return JobFilter.read(JobFilterShape.model_validate(action.filter))
    except ValidationError:
        return None


def _sorted_out(verb: ActionVerb, jobs: Sequence[Judged]) -> tuple[list[Judged], Counter[str]]:
    """Those of the jobs that the verb can be done to, and how many it cannot, by why."""
    able, skipped = [], Counter[str]()
    for job in jobs:
        reason = skip_reason(verb, job.status, cancel_requested=job.cancel_requested_at is not None)
        if reason is None:
            able.append(job)
        else:
            skipped[reason.value] += 1
    return able, skipped


async def _with_free_keys(connection: AsyncConnection, jobs: Sequence[Match], keys: set[str]) -> list[Match]:
    """Those of the jobs whose unique key no live job has, nor one before them would take; their keys join ``keys``."""
    wanted = {job.unique_key for job in jobs if job.unique_key is not None}
    keys |= (await JobRepository(connection).unique_holders(wanted)).keys() if wanted else set()
    return free_ones(jobs, lambda job: job.unique_key, keys)
