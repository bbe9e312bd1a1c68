"""What somebody, or time, did to the platform: queues, actions, schedules, subscriptions, retention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from perdure.signals.hub import Signal


@dataclass(frozen=True, slots=True)
class QueuePaused(Signal):
    """Somebody stopped a queue from giving jobs. After the commit."""

    queue: str
    by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class QueueResumed(Signal):
    """Somebody let a paused queue give jobs again. After the commit."""

    queue: str
    by: str


@dataclass(frozen=True, slots=True)
class JobActionAdvanced(Signal):
    """An action on many jobs is a batch further, or was stopped; the counts are of all of it. After the commit."""

    action_id: UUID
    verb: str
    status: str
    done: int
    skipped: int


@dataclass(frozen=True, slots=True)
class SlotsMissed(Signal):
    """So many slots of a schedule got no job: nobody had seen to them in time. After the commit."""

    schedule: str
    missed: int


@dataclass(frozen=True, slots=True)
class ScheduleFailed(Signal):
    """A schedule's job could not be made, or its times not be read; it is tried again at the next. After the commit."""

    schedule: str
    error: str


@dataclass(frozen=True, slots=True)
class SubscriptionSet(Signal):
    """Somebody made a subscription, or replaced one. After the commit."""

    subscription: str
    by: str


@dataclass(frozen=True, slots=True)
class SubscriptionDeleted(Signal):
    """Somebody deleted a subscription. After the commit."""

    subscription: str
    by: str


@dataclass(frozen=True, slots=True)
class HistoryPruned(Signal):
    """Retention removed rows; ``removed`` says how many of each table. After the commit."""

    removed: Mapping[str, int]
