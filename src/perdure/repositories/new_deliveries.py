"""Writes the deliveries that an event of a job is told by, in the transaction of the job's transition.

Of nearly all that a batch of jobs has to tell, only the ids, the recipient and the snapshot differ: so those travel as
arrays, and what is common to many once. As 22 arrays, one per column, a delivery cost Python 9 us; so it costs 2.
(Further deliveries, which tell the same once more, are written by ``repositories/delivery_repository.py``.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter

from perdure.db.driver import Fetcher
from perdure.db.session import dump_json
from perdure.models.delivery import Delivery

_COMMON = {
    "run": "integer",
    "event": "text",
    "channel": "text",
    "provider": "text",
    "status": "text",
    "reason": "text",
    "subscription": "text",
    "created_at": "timestamptz",
    "next_attempt_at": "timestamptz",
    "finished_at": "timestamptz",
}
"""The columns whose values many have in common, and their types."""
_common_of = attrgetter(*_COMMON)

_ADD = f"""
    INSERT INTO perdure.deliveries (delivery_id, job_id, recipient, destination, snapshot, {", ".join(_COMMON)},
                                    attempts, fence, spared_attempts, ambiguous_attempts)
    SELECT new.delivery_id, new.job_id, new.recipient, new.destination, new.snapshot::jsonb,
           {", ".join(f"${number}::{kind}" for number, kind in enumerate(_COMMON.values(), 6))}, 0, 0, 0, 0
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
         AS new(delivery_id, job_id, recipient, destination, snapshot)
"""
# One row per job run, event, channel and recipient, whoever writes it and however often.
_ADD_ONCE = f"{_ADD} ON CONFLICT DO NOTHING"


class NewDeliveries:
    """Writes them in the transaction that ``driver`` is in."""

    def __init__(self, driver: Fetcher) -> None:
        self._driver = driver

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        """Writes those of events that the transaction writes too, for the first time.

        Raises ``IntegrityError`` where one is there all the same. To look for each before it is written, as
        ``add_missing`` does, costs PostgreSQL 2 us of 12.
        """
        await self._add(_ADD, deliveries)

    async def add_missing(self, deliveries: Sequence[Delivery]) -> None:
        """Writes those that are not there yet."""
        await self._add(_ADD_ONCE, deliveries)

    async def _add(self, statement: str, deliveries: Sequence[Delivery]) -> None:
        alike: dict[tuple[object, ...], list[Delivery]] = defaultdict(list)
        for one in deliveries:
            alike[_common_of(one)].append(one)
        for common, some in alike.items():
            await self._driver.fetch(
                statement,
                [one.delivery_id for one in some],
                [one.job_id for one in some],
                [one.recipient for one in some],
                [one.destination for one in some],
                [dump_json(one.snapshot) for one in some],
                *common,
            )
