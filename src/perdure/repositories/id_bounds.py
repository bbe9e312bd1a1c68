"""Which ids can belong to what was made in a stretch of time: ids are in its order, by the machines' clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from perdure.clock import first_id_at

CLOCKS_APART = timedelta(minutes=1)
"""Ids are made by the machines' clocks, ``created_at`` by the database's. (`perdure doctor` reports a second.)"""
FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)


def id_bounds(after: datetime | None, before: datetime | None, before_id: UUID | None) -> tuple[UUID, UUID]:
    """From which id on, and before which, there can be what was made from ``after`` on and before ``before``."""
    low, high = FIRST_ID, before_id or LAST_ID
    if after is not None:
        low = first_id_at(_shifted(after, -CLOCKS_APART))
    if before is not None:
        high = min(high, first_id_at(_shifted(before, CLOCKS_APART)))
    return low, high


def made_at(one: UUID) -> datetime:
    """When the id was made."""
    return datetime.fromtimestamp((one.int >> 80) / 1000, tz=UTC)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:  # the year 1 or 9999
        return moment
