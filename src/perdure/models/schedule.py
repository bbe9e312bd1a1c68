"""A schedule: jobs that come again, at the times that a cron expression names in a time zone, and what became of each.

A slot is one of these times. Each is dealt with once: it gets its job, or a reason why it gets none. ``settled_until``
is how far that has come; what lies between it and now was missed, because nobody was there to see to it or because the
schedule was paused, and ``catch_up`` says what becomes of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

ON_TIME = timedelta(seconds=60)
"""A slot that is seen to sooner than this was not missed."""
MAX_SLOTS = 1_000
"""So many slots are dealt with at a time, the latest there are. Older ones are passed over, and not on record."""
POSTPONED = timedelta(seconds=60)
"""When to look again at a schedule that could not be read."""


class CatchUp(StrEnum):
    """What becomes of slots that were missed: while nothing ran that could see to them, or in a pause."""

    SKIP = "skip"
    """They get no job. (A slot is missed once it is a minute old.)"""
    LATEST = "latest"
    """The latest one gets its job, those before it get none."""
    ALL = "all"
    """Each gets its job, oldest first; the latest 1,000, where there are more."""


class Overlap(StrEnum):
    """Whether a slot gets its job while an earlier one of the same schedule is not final."""

    ALLOW = "allow"
    """It does."""
    SKIP = "skip"
    """It gets none."""


class SlotOutcome(StrEnum):
    """What became of a slot."""

    SUBMITTED = "submitted"
    """It has its job."""
    MISSED = "missed"
    """Its time had passed, and ``catch_up`` gave it no job."""
    OVERLAPPED = "overlapped"
    """A live job stood in the way: an earlier one, where ``overlap`` is ``skip``, or one with its ``unique_key``."""
    REFUSED = "refused"
    """Its job could not be made; ``last_error`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One time of a schedule, and what became of it."""

    name: str
    slot_at: datetime
    outcome: SlotOutcome
    job_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``job`` is the job as it would be submitted, kept as sent. Times are aware UTC datetimes.

    ``next_slot_at`` is when somebody has to see to it: at its next slot; None while it is paused.
    """

    name: str
    expression: str
    time_zone: str
    job: Mapping[str, Any]
    catch_up: CatchUp
    overlap: Overlap
    paused: bool
    created_at: datetime
    updated_at: datetime
    settled_until: datetime
    next_slot_at: datetime | None = None
    last_error: str | None = None

    @property
    def times(self) -> tuple[str, str]:
        """What decides which slots there are."""
        return self.expression, self.time_zone

    def replacing(self, before: Schedule | None) -> Schedule:
        """This schedule in the place of ``before``: as old and, if its times are the same, owing what that owes."""
        if before is None:
            return self
        settled_until = before.settled_until if self.times == before.times else self.settled_until
        return replace(self, created_at=before.created_at, settled_until=settled_until)

    def deal(self, due: Sequence[datetime], now: datetime, *, busy: bool) -> dict[datetime, SlotOutcome]:
        """What is to become of the slots that are due, in their order; ``busy``: an earlier job is not final."""
        wanted = set(self._wanted(due, now))
        outcomes = {}
        for slot_at in due:
            if slot_at not in wanted:
                outcomes[slot_at] = SlotOutcome.MISSED
            elif busy and self.overlap is Overlap.SKIP:
                outcomes[slot_at] = SlotOutcome.OVERLAPPED
            else:
                outcomes[slot_at] = SlotOutcome.SUBMITTED
                busy = True
        return outcomes

    def settled(self, now: datetime, next_slot_at: datetime | None, error: str | None) -> Schedule:
        """As it is once all its slots up to ``now`` are dealt with."""
        return replace(self, settled_until=now, next_slot_at=next_slot_at, last_error=error)

    def postponed(self, now: datetime, error: str) -> Schedule:
        """As it is when its times could not be read just now: its slots wait."""
        return replace(self, next_slot_at=now + POSTPONED, last_error=error)

    def _wanted(self, due: Sequence[datetime], now: datetime) -> Sequence[datetime]:
        match self.catch_up:
            case CatchUp.SKIP:
                return [slot_at for slot_at in due if now - slot_at < ON_TIME]
            case CatchUp.LATEST:
                return due[-1:]
            case CatchUp.ALL:
                return due
            case _:  # pragma: no cover
                assert_never(self.catch_up)
