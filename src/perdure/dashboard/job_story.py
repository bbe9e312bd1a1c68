"""A job's story as one row of steps: submitted, each attempt from start to end, what was asked for, who was told.

The steps come from the timeline, the log, the deliveries and the job's own row, each of which tells a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from perdure.models.delivery_explanation import DeliveryOnRecord, explained
from perdure.models.job import Job
from perdure.models.job_log import LogLine
from perdure.models.lifecycle import TimelineEvent
from perdure.repositories.job_queries import TimelineEntry
from perdure.schemas.recipients import shown

Try = Mapping[str, Any]

_ENDS = frozenset(
    {
        *(TimelineEvent.SUCCESS, TimelineEvent.FAILURE, TimelineEvent.RETRY, TimelineEvent.CANCELLED),
        *(TimelineEvent.SNOOZED, TimelineEvent.RELEASED),
    }
)
_TITLES = {
    TimelineEvent.CREATED: "Submitted",
    TimelineEvent.CANCELLED: "Cancelled before it ran",
    TimelineEvent.FAILURE: "Failed before it ran",
    TimelineEvent.RESTARTED: "A new run was opened",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened at one time. ``event`` is what it came to; None while an attempt is under way."""

    at: datetime
    title: str
    event: TimelineEvent | None = None
    about: str = ""
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStep(Step):
    """One attempt. ``next_at``: when the job was due again, if the attempt did not end it."""

    number: int
    run: int
    worker_id: str | None
    took_seconds: float | None
    next_at: datetime | None = None
    log: Sequence[LogLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingStep(Step):
    """Somebody was to be told; ``recipient`` is masked."""

    delivery: DeliveryOnRecord
    recipient: str
    explanation: str
    tries: Sequence[Try] = field(default=())


def story_of(
    job: Job,
    timeline: Sequence[TimelineEntry],
    log: Sequence[LogLine],
    deliveries: Sequence[DeliveryOnRecord],
    tries: Mapping[UUID, Sequence[Try]],
) -> list[Step]:
    """All of it, in order of time."""
    steps = [*_recorded(timeline, log), *(_telling(one, tries.get(one.delivery_id, ())) for one in deliveries)]
    if job.cancel_requested_at is not None:
        steps.append(Step(at=job.cancel_requested_at, title="Somebody asked it to stop", event=TimelineEvent.CANCELLED))
    return sorted(steps, key=lambda step: step.at)


def _recorded(timeline: Sequence[TimelineEntry], log: Sequence[LogLine]) -> Iterator[Step]:
    """An attempt's start and end are one step, which stands where it began."""
    started: TimelineEntry | None = None
    for entry in timeline:
        if entry.event is TimelineEvent.STARTED:
            started = entry
        elif started is not None and entry.event in _ENDS:
            yield _attempt(started, entry, log)
            started = None
        else:
            yield Step(
                at=entry.at,
                title=_TITLES.get(entry.event, entry.event.capitalize()),
                event=entry.event,
                about=f"run {entry.run}" if entry.event is TimelineEvent.RESTARTED else "",
                error=entry.data.get("error"),
            )
    if started is not None:
        yield _attempt(started, None, log)


def _attempt(started: TimelineEntry, end: TimelineEntry | None, log: Sequence[LogLine]) -> AttemptStep:
    data = {} if end is None else end.data
    next_at = data.get("run_at")
    return AttemptStep(
        at=started.at,
        title=f"Attempt {started.attempt}" + (f" of run {started.run}" if started.run > 1 else ""),
        event=None if end is None else end.event,
        error=data.get("error"),
        number=started.attempt,
        run=started.run,
        worker_id=started.data.get("worker_id"),
        took_seconds=None if end is None else max((end.at - started.at) / timedelta(seconds=1), 0.0),
        next_at=None if next_at is None else datetime.fromisoformat(next_at),
        log=_lines(log, started, end),
    )


def _lines(log: Sequence[LogLine], started: TimelineEntry, end: TimelineEntry | None) -> list[LogLine]:
    """What the attempt wrote. Its number alone does not say which: an attempt that is given back is had again."""
    own = [line for line in log if (line.run, line.attempt) == (started.run, started.attempt)]
    return [line for line in own if line.at >= started.at and (end is None or line.at <= end.at)]


def _telling(delivery: DeliveryOnRecord, tries: Sequence[Try]) -> TellingStep:
    to = "nobody" if delivery.recipient is None else shown(delivery.channel, delivery.recipient)
    return TellingStep(
        at=delivery.created_at,
        title=f"{delivery.channel.capitalize()} about {delivery.event}",
        delivery=delivery,
        recipient=to,
        explanation=explained(delivery),
        tries=tries,
    )
