"""A subscription: whom the operator wants told of jobs of a type or a queue, whatever the jobs themselves declare.

It declares as a job would, but for others than the job's own people: nothing of the job's context names a recipient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from perdure.models.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """``job_type`` and ``queue`` are those of the jobs it is about; None: any. ``events`` are named as in ``on``.

    ``notifications`` are kept as sent: channels and their options, without ``on``. ``set_by`` is who last set it.
    """

    name: str
    job_type: str | None
    queue: str | None
    events: tuple[str, ...]
    notifications: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    set_by: str

    def declared_by(self, job: Job) -> Job:
        """``job`` as if it declared what the subscription does, and nothing of its own."""
        declared = {
            channel: options | {"on": list(self.events)}
            for channel, options in self.notifications.items()
            if isinstance(options, dict)
        }
        return replace(job, context=None, notifications=declared)


class Subscriptions:
    """All of them, ready to be asked for each job that comes to an event; true when there are any."""

    def __init__(self, subscriptions: Iterable[Subscription] = ()) -> None:
        self._found: dict[tuple[str, str | None], list[Subscription]] = defaultdict(list)
        for one in sorted(subscriptions, key=lambda one: one.name):
            for event in one.events:
                self._found[event, one.job_type].append(one)

    def __bool__(self) -> bool:
        return bool(self._found)

    def of(self, job: Job, event: str) -> Sequence[Subscription]:
        """Those that want ``event`` of ``job`` told."""
        if not self._found:
            return ()
        found = [*self._found.get((event, job.job_type), ()), *self._found.get((event, None), ())]
        return [one for one in found if one.queue in (None, job.queue)]


NO_SUBSCRIPTIONS = Subscriptions()
