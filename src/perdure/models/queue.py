"""A queue as it stands: what waits and runs in it, who serves it, and whether somebody paused it.

A queue needs no declaration. So there is one where something waits or runs, where a living worker names it, and where
somebody paused it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from perdure.models.statistics import QueueBacklog


@dataclass(frozen=True, slots=True)
class PausedQueue:
    """A queue that gives no jobs. ``paused_by`` is the name of an API key, or ``local`` where none is asked for."""

    name: str
    paused_at: datetime
    paused_by: str
    pause_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """``workers`` are the living ones that serve it; the pause is None where it gives its jobs."""

    name: str
    queued: int = 0
    scheduled: int = 0
    retrying: int = 0
    running: int = 0
    oldest_waiting_seconds: float | None = None
    workers: int
    paused_at: datetime | None = None
    paused_by: str | None = None
    pause_reason: str | None = None


def queues_of(
    backlogs: Sequence[QueueBacklog], paused: Sequence[PausedQueue], serving: Mapping[str | None, int]
) -> list[Queue]:
    """All queues, in order of name. ``serving`` counts the workers by the queues that they name; None: they name none,
    and serve every queue.
    """
    waiting = {one.queue: {name: value for name, value in asdict(one).items() if name != "queue"} for one in backlogs}
    pauses = {one.name: asdict(one) for one in paused}
    named = {name for name in serving if name is not None}
    return [
        Queue(
            **{"name": name} | waiting.get(name, {}) | pauses.get(name, {}),
            workers=serving.get(name, 0) + serving.get(None, 0),
        )
        for name in sorted(waiting.keys() | pauses.keys() | named)
    ]
