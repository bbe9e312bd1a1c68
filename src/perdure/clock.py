"""What time it is: the database's clock decides, and is read once and then carried by the monotonic clock.

Machines disagree about the time; leases, back-off and timestamps must not. So every process measures how the
database's clock stands to its own monotonic clock, and asks ``now()`` of that. A jump of the machine's wall clock
changes nothing.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

_UUID7_TIME_SHIFT = 80


class DatabaseClock:
    """The database's time, carried forward by this process's monotonic clock between readings."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        """Seconds from 1970 to where ``time.monotonic()`` begins, as the database's clock has it."""

    def set(self, reading: datetime, read_at: float | None = None) -> None:
        """Takes a reading of ``clock_timestamp()`` made at ``read_at`` on ``time.monotonic()`` (default: just now)."""
        self._offset = reading.timestamp() - (time.monotonic() if read_at is None else read_at)

    def now(self) -> datetime:
        """The time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self._offset + time.monotonic(), UTC)


def first_id_at(moment: datetime) -> UUID:
    """The least id that can have been made at ``moment``: ids are UUIDv7, which begin with milliseconds since 1970."""
    return UUID(int=max(int(moment.timestamp() * 1000), 0) << _UUID7_TIME_SHIFT)
