"""Unique keys: no two live jobs have the same one, which an index of the live jobs that have any guards.

Who wants a key waits for a transaction that is about to take it, and then finds it taken. Whoever takes several takes
them in one order (``in_order``), so that no two wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import quoted
from perdure.db.models.job import UNIQUE_INDEX
from perdure.models.job import Job, Transition
from perdure.models.lifecycle import LIVE

Item = TypeVar("Item")

_IS_LIVE = f"unique_key IS NOT NULL AND status IN ({quoted(LIVE)})"

LEAVING_OUT_TAKEN = f"ON CONFLICT (unique_key) WHERE {_IS_LIVE} DO NOTHING RETURNING job_id"
"""What an INSERT of jobs ends with that stores those whose key is free, the first of equal ones, and says which."""

_HOLDERS = text(f"""
    SELECT unique_key, job_id FROM perdure.jobs WHERE unique_key = ANY (CAST(:keys AS text[])) AND {_IS_LIVE}
""")


class UniqueKeys:
    """Says which keys are taken, on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def holders(self, keys: Iterable[str]) -> dict[str, UUID]:
        """Of these keys, those that a live job has, and that job."""
        rows = await self._connection.execute(_HOLDERS, {"keys": list(keys)})
        return {row.unique_key: row.job_id for row in rows}

    async def without_taken(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Those that open no job again whose key a live one has, or an earlier of them takes."""
        taken = set(await self.holders(one.job.unique_key or "" for one in transitions if one.takes_unique_key))
        return free_ones(transitions, lambda one: one.job.unique_key if one.takes_unique_key else None, taken)


def free_ones(items: Iterable[Item], key_of: Callable[[Item], str | None], taken: set[str]) -> list[Item]:
    """Those whose key is free, and those that want none; of equal keys, the first. Their keys join ``taken``."""
    free = []
    for item in items:
        key = key_of(item)
        if key not in taken:
            free.append(item)
        if key is not None:
            taken.add(key)
    return free


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """By their keys, equal ones as they came."""
    return sorted(jobs, key=lambda job: job.unique_key or "")


def was_taken(error: IntegrityError) -> bool:
    """Whether the statement failed because somebody else had just taken a key that it wanted."""
    cause = getattr(error.orig, "__cause__", None)
    return getattr(cause, "constraint_name", None) == UNIQUE_INDEX
