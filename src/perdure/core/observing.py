"""Finds out what has happened since the last look, from what is stored anyway: nothing is written for whoever watches.

Each recorded step is told once, and none is skipped (``models/event_tail.py``). A start and progress are no steps: they
are told as soon as they are seen on a running job, a start at the latest with the end of its attempt. Deliveries are
told as they are found to stand, from the end of their job on. Each look is of one moment, so that what it tells of a
job is in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from perdure.db.session import Database
from perdure.models.delivery import LIVE
from perdure.models.event_tail import EventTail
from perdure.models.happening import ENDS, STATUS_AFTER, Happening, HappeningKind
from perdure.models.lifecycle import JobStatus, TimelineEvent
from perdure.repositories.stream_queries import StreamQueries

MAX_EVENTS = 1_000
"""So many recorded steps are read at a look; if there may be more, the next look is for them."""
MAX_RUNNING = 2_000
"""Where more jobs run at a time, a start is told with the end of its attempt, and progress is not."""
MAX_DELIVERIES = 1_000
"""So many that are not settled are followed."""

Attempt = tuple[datetime, Any]
"""When it started, and its progress."""


@dataclass(frozen=True, slots=True)
class Look:
    """What happened, in order. ``is_last``: there was no more; ``is_whole``: nothing before it was given up."""

    happenings: Sequence[Happening]
    is_last: bool
    is_whole: bool


class Observer:
    """Begins at the end of what is recorded; ``look`` again and again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tail = EventTail(0)
        self._running: dict[UUID, Attempt] = {}
        self._deliveries: dict[UUID, tuple[str, int]] = {}
        self._ended: dict[UUID, int] = {}
        """Jobs that tell of their end, and the run that ended, until their deliveries are read."""

    async def begin(self) -> None:
        """From now on; what was rolled back lately is told apart at once from what is still under way."""
        async with self._database.snapshot(of_one_moment=True) as connection:
            queries = StreamQueries(connection)
            self.tail = await queries.tail()
            running = await queries.running(MAX_RUNNING)
            deliveries = await queries.deliveries([], [], MAX_DELIVERIES)
        self._running = _attempts(running)
        self._deliveries = _live(deliveries)
        if self.tail.gaps:
            await self.look()

    async def look(self) -> Look:
        """What happened since the last look. One that fails has changed nothing: the next tells it all."""
        if self.tail.gaps:
            async with self._database.snapshot() as connection:  # before the moment of the look
                self.tail.note_writers(await StreamQueries(connection).writers())
        async with self._database.snapshot(of_one_moment=True) as connection:
            queries = StreamQueries(connection)
            events = await queries.events(self.tail, MAX_EVENTS)
            is_last = len(events) < MAX_EVENTS
            ended = self._ended | {row["job_id"]: row["run"] for row in events if row["tells"] and row["event"] in ENDS}
            running, deliveries = None, None
            if is_last:
                running = await queries.running(MAX_RUNNING)
                deliveries = await queries.deliveries(list(ended), list(self._deliveries), MAX_DELIVERIES)
        now = self._database.clock.now()
        happenings = list(_recorded(events, self._running))
        if running is None or deliveries is None:
            self._ended = dict(list(ended.items())[-MAX_DELIVERIES:])
        else:
            happenings += _seen_running(running, self._running, now)
            happenings += _seen_told(deliveries, self._deliveries, ended, now)
            self._running, self._deliveries, self._ended = _attempts(running), _live(deliveries), {}
        is_whole = self.tail.note_reading([row["event_id"] for row in events], is_whole=is_last)
        return Look(happenings, is_last, is_whole)

    async def since(self, floor: int, tail: EventTail, limit: int) -> list[Happening] | None:
        """The steps after ``floor`` that ``tail`` had read; None if they are more than ``limit``."""
        async with self._database.snapshot() as connection:
            events = await StreamQueries(connection).events(EventTail(floor), limit + 1)
        read = [row for row in events if tail.has_read(row["event_id"])]
        return None if len(events) > limit else list(_recorded(read, {}))


def _recorded(events: Sequence[RowMapping], running: dict[UUID, Attempt]) -> Iterator[Happening]:
    """The steps, each after the start of its attempt if that was not seen; not those of jobs that are removed."""
    for row in events:
        if row["job_type"] is None:
            continue
        step, started_at = TimelineEvent(row["event"]), row["started_at"]
        if started_at is not None and running.get(row["job_id"], (None, None))[0] != started_at:
            yield _started(row, started_at, row["data"].get("worker_id"))
        yield _happening(row, HappeningKind(step), STATUS_AFTER[step], row["at"], row["data"])


def _seen_running(rows: Sequence[RowMapping], before: dict[UUID, Attempt], now: datetime) -> Iterator[Happening]:
    if len(rows) == MAX_RUNNING:
        return
    for row in rows:
        started_at, progress = before.get(row["job_id"], (None, None))
        if row["started_at"] != started_at:
            yield _started(row, row["started_at"], str(row["worker_id"]))
        if row["progress"] is not None and row["progress"] != progress:
            yield _happening(row, HappeningKind.PROGRESS, JobStatus.RUNNING, now, row["progress"])


def _seen_told(
    rows: Sequence[RowMapping], before: dict[UUID, tuple[str, int]], ended: dict[UUID, int], now: datetime
) -> Iterator[Happening]:
    """Deliveries that are new or stand otherwise than before; those of earlier runs are neither."""
    for row in rows:
        known = before.get(row["delivery_id"])
        is_old = known is None and row["status"] not in LIVE and row["run"] != ended.get(row["job_id"])
        if known == (row["status"], row["attempts"]) or is_old:
            continue
        data = {
            "delivery_id": str(row["delivery_id"]),
            **{name: row[name] for name in ("event", "channel", "provider", "status", "reason", "attempts")},
        }
        at = row["finished_at"] or (row["created_at"] if row["attempts"] == 0 else now)
        yield _happening(row, HappeningKind.DELIVERY, STATUS_AFTER[TimelineEvent(row["event"])], at, data)


def _attempts(running: Sequence[RowMapping]) -> dict[UUID, Attempt]:
    if len(running) == MAX_RUNNING:
        return {}
    return {row["job_id"]: (row["started_at"], row["progress"]) for row in running}


def _live(deliveries: Sequence[RowMapping]) -> dict[UUID, tuple[str, int]]:
    live = [row for row in deliveries if row["status"] in LIVE]
    return {row["delivery_id"]: (row["status"], row["attempts"]) for row in live[-2 * MAX_DELIVERIES :]}


def _started(row: RowMapping, at: datetime, worker_id: str | None) -> Happening:
    data = {} if worker_id is None else {"worker_id": worker_id}
    return _happening(row, HappeningKind.STARTED, JobStatus.RUNNING, at, data)


def _happening(row: RowMapping, event: HappeningKind, status: JobStatus, at: datetime, data: Any) -> Happening:
    return Happening(
        event=event,
        job_id=row["job_id"],
        job_type=row["job_type"],
        queue=row["queue"],
        tags=tuple(row["tags"]),
        run=row["run"],
        attempt=row["attempt"],
        status=status,
        at=at,
        data=data,
    )
