"""A job's place among the ready ones of its queue: they are claimed in this order, and indexed in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID


class Place(NamedTuple):
    """The lesser place is claimed first. ``rank`` is the priority, negated, so that all three ascend."""

    rank: int
    run_at: datetime
    job_id: UUID


START = Place(rank=-32_768, run_at=datetime.min.replace(tzinfo=UTC), job_id=UUID(int=0))
"""No job's place is before it."""
END = Place(rank=32_767, run_at=datetime.max.replace(tzinfo=UTC), job_id=UUID(int=2**128 - 1))
"""No job's place is after it."""
