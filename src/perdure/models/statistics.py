"""How the platform stands: what waits and for how long, what runs, what was done lately. Cheap to know at any size.

Nothing here counts finished jobs in the table: there may be tens of millions of them. What waits and runs is counted
in the small indexes over exactly that, up to a limit; what was done is added up from the tallies that every
process writes down every few seconds (``workers/tallier.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

MAX_COUNT = 50_000
"""Counting stops here at the latest; see ``Statistics.count_limit``."""
MAX_QUEUES = 100
"""So many queues are told apart in what waits: those whose oldest job has waited longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBacklog:
    """What waits and runs in one queue.

    ``oldest_waiting_seconds`` is how long its longest-waiting ready job has been due.
    """

    queue: str
    queued: int = 0
    scheduled: int = 0
    retrying: int = 0
    running: int = 0
    oldest_waiting_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBacklog:
    """The deliveries that wait for one provider, and how long ago the oldest of them was written."""

    provider: str
    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCircuits:
    """How many destinations of a provider are in a state (``CircuitState``) in which nothing is sent but probes."""

    provider: str
    state: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What was done in a stretch of time. Means are over the attempts that ended in it; None when none did."""

    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int
    """Attempts that failed and are followed by another."""
    mean_wait_seconds: float | None
    """From the time an attempt was due to its start."""
    mean_duration_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Everything at one moment of the database's clock."""

    measured_at: datetime
    count_limit: int
    """Where counting stopped: a count that reaches it (in each queue, for ready jobs) means so many, or more."""
    queues: tuple[QueueBacklog, ...]
    running: int
    workers_alive: int
    slots: int
    """Attempts that the living workers run at a time, all together."""
    providers: tuple[ProviderBacklog, ...]
    """Those for which deliveries wait, by name."""
    circuits: tuple[BrokenCircuits, ...] = ()
    """Where calls fail, or are refused, by provider and state; those that are closed are not told of."""
    deliveries: Mapping[str, int]
    """Deliveries written in the last 24 hours, by status."""
    last_minute: Activity
    last_hour: Activity

    @property
    def queued(self) -> int:
        return sum(one.queued for one in self.queues)

    @property
    def scheduled(self) -> int:
        return sum(one.scheduled for one in self.queues)

    @property
    def retrying(self) -> int:
        return sum(one.retrying for one in self.queues)

    @property
    def deliveries_waiting(self) -> int:
        return sum(one.waiting for one in self.providers)

    @property
    def oldest_delivery_seconds(self) -> float | None:
        """How long ago the oldest delivery that waits was written."""
        return max((one.oldest_seconds for one in self.providers), default=None)

    @property
    def oldest_waiting_seconds(self) -> float | None:
        return max((one.oldest_waiting_seconds or 0.0 for one in self.queues if one.queued), default=None)
