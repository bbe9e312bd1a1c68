"""Writes deliveries and their tries: born with a transition, concluded under their fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from perdure.db.base import columns_of
from perdure.db.models import DeliveryAttemptRow
from perdure.models.delivery import Attempt, Delivery
from perdure.repositories.mappers import DELIVERY_COLUMNS, delivery_arrays, delivery_from_row
from perdure.repositories.statements import column_list, insert, unnest

_DELIVERY = column_list(DELIVERY_COLUMNS, "delivery")

# One row per job run, event, channel and recipient, whoever writes it and however often.
_ADD = text(insert("perdure.deliveries", DELIVERY_COLUMNS, "ON CONFLICT DO NOTHING"))

# A delivery whose job is held in place: retention, which locks a job before it looks at its deliveries, can remove
# neither until the caller has committed.
_HOLD = text(f"""
    SELECT {_DELIVERY} FROM perdure.deliveries AS delivery JOIN perdure.jobs AS job USING (job_id)
    WHERE delivery.delivery_id = :delivery_id FOR KEY SHARE OF job
""").columns(*DELIVERY_COLUMNS)

# A delivery that nobody else changes until the caller has committed: a claim steps over it. Its job comes first, as it
# does for retention.
_LOCK = text(f"""
    SELECT {_DELIVERY} FROM perdure.deliveries AS delivery JOIN perdure.jobs AS job USING (job_id)
    WHERE delivery.delivery_id = :delivery_id FOR KEY SHARE OF job FOR UPDATE OF delivery
""").columns(*DELIVERY_COLUMNS)

# Finished deliveries to somebody, and their jobs, until the caller has committed: who sends them again comes alone.
_HOLD_ENDED = text("""
    SELECT delivery.delivery_id FROM perdure.deliveries AS delivery JOIN perdure.jobs AS job USING (job_id)
    WHERE delivery.delivery_id = ANY (CAST(:delivery_ids AS uuid[]))
      AND delivery.finished_at IS NOT NULL AND delivery.recipient IS NOT NULL
    ORDER BY delivery.delivery_id FOR KEY SHARE OF job FOR UPDATE OF delivery
""")

# Those that nobody has sent again since, as committed until the lock was ours: so asking twice sends once.
_LAST_OF_CHAIN = text(f"""
    SELECT {_DELIVERY} FROM perdure.deliveries AS delivery
    WHERE delivery.delivery_id = ANY (CAST(:delivery_ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM perdure.deliveries AS later
        WHERE later.job_id = delivery.job_id AND later.delivery_id > delivery.delivery_id
          AND later.resend_of = coalesce(delivery.resend_of, delivery.delivery_id))
    ORDER BY delivery.delivery_id
""").columns(*DELIVERY_COLUMNS)

_CHANGED = tuple(
    one
    for one in DELIVERY_COLUMNS
    if one.name
    in {
        *("status", "reason", "provider", "destination", "attempts", "spared_attempts", "ambiguous_attempts"),
        *("next_attempt_at", "provider_message_id", "finished_at"),
    }
)
_MATCHED = tuple(one for one in DELIVERY_COLUMNS if one.name in {"delivery_id", "fence"})
_ASSIGNMENTS = ", ".join(f"{one.name} = new.{one.name}" for one in _CHANGED)

# The fence, as for jobs: a sender whose lease ended can write nothing any more.
_APPLY = text(f"""
    UPDATE perdure.deliveries AS delivery SET {_ASSIGNMENTS}
    FROM {unnest(_MATCHED + _CHANGED, "new")}
    WHERE delivery.delivery_id = new.delivery_id AND delivery.delivery_id = ANY (CAST(:delivery_id AS uuid[]))
      AND delivery.fence = new.fence AND delivery.status = 'SENDING'
    RETURNING delivery.delivery_id
""")

# Of a delivery that is locked, so that it waits still. Its fence has risen: a sender that held it is refused from now.
_CANCEL = text("""
    UPDATE perdure.deliveries
    SET status = 'CANCELLED', reason = :reason, fence = :fence, next_attempt_at = NULL, finished_at = :finished_at
    WHERE delivery_id = :delivery_id
""")

_ATTEMPT_COLUMNS = columns_of(DeliveryAttemptRow)
_ADD_ATTEMPTS = text(insert("perdure.delivery_attempts", _ATTEMPT_COLUMNS, "ON CONFLICT DO NOTHING"))


@dataclass(frozen=True, slots=True)
class Try:
    """One finished try of a delivery: when, how long, by which provider, and what it came to."""

    delivery_id: UUID
    number: int
    provider: str
    started_at: datetime
    duration_ms: int
    attempt: Attempt


class DeliveryRepository:
    """The writing side, on one transaction's connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            await self._connection.execute(_ADD, delivery_arrays(deliveries))

    async def hold(self, delivery_id: UUID) -> Delivery | None:
        """The delivery, sure to outlive the transaction with its job; None when there is none."""
        row = (await self._connection.execute(_HOLD, {"delivery_id": delivery_id})).mappings().one_or_none()
        return None if row is None else delivery_from_row(row)

    async def hold_unsent(self, delivery_ids: Sequence[UUID]) -> list[Delivery]:
        """Those of the deliveries that may be sent again and were not yet, held as by ``lock``."""
        held = list((await self._connection.execute(_HOLD_ENDED, {"delivery_ids": list(delivery_ids)})).scalars())
        rows = (await self._connection.execute(_LAST_OF_CHAIN, {"delivery_ids": held})).mappings()
        return [delivery_from_row(row) for row in rows]

    async def lock(self, delivery_id: UUID) -> Delivery | None:
        """The delivery, which nobody else changes until the transaction ends; None when there is none."""
        row = (await self._connection.execute(_LOCK, {"delivery_id": delivery_id})).mappings().one_or_none()
        return None if row is None else delivery_from_row(row)

    async def cancel(self, cancelled: Delivery) -> None:
        """Writes that a delivery, which is locked, was called off."""
        parameters = {name: getattr(cancelled, name) for name in ("delivery_id", "reason", "fence", "finished_at")}
        await self._connection.execute(_CANCEL, parameters)

    async def apply(self, deliveries: Sequence[Delivery]) -> set[UUID]:
        """Writes what tries made of deliveries, where the fence still holds; returns the ids written."""
        arrays = delivery_arrays(deliveries, _MATCHED + _CHANGED)
        return set((await self._connection.execute(_APPLY, arrays)).scalars())

    async def add_tries(self, tries: Sequence[Try]) -> None:
        """Appends to the audit. A try is on record even when the delivery has moved on meanwhile."""
        if tries:
            await self._connection.execute(_ADD_ATTEMPTS, _try_arrays(tries))


def _try_arrays(tries: Sequence[Try]) -> dict[str, list[object]]:
    own = ("delivery_id", "number", "provider", "started_at", "duration_ms")
    arrays: dict[str, list[object]] = {name: [getattr(one, name) for one in tries] for name in own}
    for name in ("verdict", "status_code", "error_type", "message", "provider_message_id", "response_excerpt"):
        arrays[name] = [getattr(one.attempt, name) for one in tries]
    return arrays
