"""An action: one verb on all the jobs that match a filter. What it makes of each job, and how far it has come. Pure.

It walks from the newest job that there was when it was asked to the oldest, and never back: so it meets no job twice,
and none that came later, not even the runs that it opens itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from perdure.models.lifecycle import FINAL, JobStatus


class ActionVerb(StrEnum):
    CANCEL = "cancel"
    """Waiting jobs are cancelled at once, running ones asked to stop."""
    RETRY = "retry"
    """Finished jobs get a new run."""


class ActionStatus(StrEnum):
    RUNNING = "RUNNING"
    """Batch after batch is carried out."""
    DONE = "DONE"
    """Every job that matched was acted on or skipped."""
    STOPPED = "STOPPED"
    """Somebody stopped it; what it had done by then stays done."""


class ActionSkipReason(StrEnum):
    """Why an action left a job that matched as it was."""

    ALREADY_FINAL = "already_final"
    """There is nothing left to cancel."""
    CANCEL_REQUESTED = "cancel_requested"
    """It runs, and was asked to stop before."""
    NOT_FINAL = "not_final"
    """Only a finished job can be retried."""
    UNIQUE_KEY_TAKEN = "unique_key_taken"
    """Another live job has its unique key."""


def skip_reason(verb: ActionVerb, status: JobStatus, *, cancel_requested: bool) -> ActionSkipReason | None:
    """Why a job that stands so is left alone; None when it is not."""
    if verb is ActionVerb.RETRY:
        return None if status in FINAL else ActionSkipReason.NOT_FINAL
    if status in FINAL:
        return ActionSkipReason.ALREADY_FINAL
    return ActionSkipReason.CANCEL_REQUESTED if cancel_requested else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAction:
    """An action as it stands.

    ``filter`` is JSON, as it was sent. Every matching job whose id is not less than ``below`` is behind it: ``done``
    of them were acted on, the others are counted in ``skipped`` by their reason. ``requested_by`` and ``stopped_by``
    are names of API keys, or "local" where none is asked for.
    """

    action_id: UUID
    verb: ActionVerb
    filter: Mapping[str, Any]
    reason: str | None
    requested_by: str
    below: UUID
    created_at: datetime
    advanced_at: datetime
    status: ActionStatus = ActionStatus.RUNNING
    done: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    finished_at: datetime | None = None
    stopped_by: str | None = None

    @property
    def is_running(self) -> bool:
        return self.status is ActionStatus.RUNNING

    def advance(self, below: UUID, done: int, skipped: Mapping[str, int], now: datetime) -> JobAction:
        """One batch further: down to ``below``."""
        counts = Counter(self.skipped) + Counter(skipped)
        return replace(self, below=below, done=self.done + done, skipped=dict(counts), advanced_at=now)

    def put_off(self, now: datetime) -> JobAction:
        """As it was, but behind the others that wait for a batch."""
        return replace(self, advanced_at=now)

    def finish(self, now: datetime) -> JobAction:
        return replace(self, status=ActionStatus.DONE, finished_at=now)

    def stop(self, stopped_by: str, now: datetime) -> JobAction:
        return replace(self, status=ActionStatus.STOPPED, finished_at=now, stopped_by=stopped_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPreview:
    """What an action would do just now, as far as was counted; ``sample`` is the newest jobs that it would act on.

    ``is_complete``: all that match were counted; else there are more.
    """

    verb: ActionVerb
    matched: int
    done: int
    skipped: Mapping[str, int]
    is_complete: bool
    sample: tuple[UUID, ...]
