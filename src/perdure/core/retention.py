"""How long what is finished is kept, and its removal: a batch at a time, from the oldest job on.

A job goes ``jobs_days`` after its end, with its events. Its deliveries are the audit, and never without their job: so
one that has any stays until each of them ended ``audit_days`` ago, and they go together. What is not final never goes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from perdure.core.idempotency import KEPT
from perdure.db.session import Database
from perdure.repositories.file_repository import FileRepository
from perdure.repositories.idempotency_repository import IdempotencyRepository
from perdure.repositories.retention_repository import Cutoffs, RetentionRepository

BATCH = 500
"""Jobs looked at in one transaction, which takes some milliseconds."""
PAUSE_SECONDS = 0.1
"""Between two batches: others want the database, too."""
START = UUID(int=0)
"""Before every id."""
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """Days from the end of a job, and of a delivery, to its removal; 0 keeps for ever."""

    jobs_days: float
    audit_days: float

    def cutoffs(self, now: datetime) -> Cutoffs:
        return Cutoffs(_days_before(now, self.jobs_days), _days_before(now, self.audit_days))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction removed, by table, and how far the walk has come."""

    removed: Counter[str]
    reached: UUID
    is_last: bool


class Retention:
    """The walk over what is old. Any process may take it; in each moment one does."""

    def __init__(self, database: Database, policy: RetentionPolicy) -> None:
        self._database = database
        self._policy = policy

    async def remove_batch(self, after: UUID) -> Batch | None:
        """Removes what may go of the next jobs after the id ``after``; None while another process prunes.

        With the last batch go files that no job names any more (their bytes follow when somebody sweeps), old slots of
        schedules, and idempotency keys that are not known any more, these whatever the policy.
        """
        now = self._database.clock.now()
        cutoffs = self._policy.cutoffs(now)
        async with self._database.transaction() as connection:
            repository = RetentionRepository(connection, cutoffs)
            if not await repository.is_alone():
                return None
            stretch = await repository.next(after, BATCH)
            removed = Counter(await repository.remove(stretch.may_go) if stretch.may_go else {})
            is_last = len(stretch.job_ids) < BATCH
            if is_last:
                files = await FileRepository(connection).delete_unnamed(cutoffs.before, BATCH)
                keys = await IdempotencyRepository(connection).delete_old(now - KEPT, BATCH)
                slots = await repository.remove_slots(BATCH)
                removed += Counter(
                    files=len(files),
                    schedule_slots=slots,
                    inbox_messages=await repository.remove_mails(),
                    idempotency_keys=keys,
                    job_actions=await repository.remove_actions(),
                )
                is_last = max(len(files), slots, keys) < BATCH
        return Batch(removed, stretch.job_ids[-1] if stretch.job_ids else after, is_last)

    async def remove_all(self) -> Counter[str]:
        """Removes everything that may go, and returns how many rows of each table that were."""
        removed: Counter[str] = Counter()
        reached, is_last = START, False
        while not is_last:
            batch = await self.remove_batch(reached)
            if batch is not None:
                removed, reached, is_last = removed + batch.removed, batch.reached, batch.is_last
            await asyncio.sleep(0.0 if is_last else PAUSE_SECONDS)
        return removed

    async def count_all(self) -> Counter[str]:
        """How much ``remove_all`` would remove, as far as can be seen now."""
        now = self._database.clock.now()
        cutoffs = self._policy.cutoffs(now)
        counted: Counter[str] = Counter()
        after: UUID | None = START
        while after is not None:
            async with self._database.snapshot() as connection:
                repository = RetentionRepository(connection, cutoffs)
                stretch = await repository.next(after, BATCH)
                counted += Counter(await repository.count(stretch.may_go))
                after = stretch.job_ids[-1] if len(stretch.job_ids) == BATCH else None
                if after is None:
                    counted += Counter(
                        files=await repository.count_files(),
                        schedule_slots=await repository.count_slots(),
                        inbox_messages=await repository.count_mails(),
                        idempotency_keys=await IdempotencyRepository(connection).count_old(now - KEPT),
                        job_actions=await repository.count_actions(),
                    )
        return counted


def _days_before(now: datetime, days: float) -> datetime:
    """Before which moment something must have ended to go."""
    return now - timedelta(days=days) if days else _NEVER
