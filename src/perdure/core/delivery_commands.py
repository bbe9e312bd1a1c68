"""What can be asked of deliveries: send one again, call one off. One command, one transaction.

What is sent again is a further delivery, judged anew right before it is sent: by the settings, the suppression list and
the allow-list as they are then. So one that was skipped, suppressed, bounced or called off may be sent again; only
where no recipient is known is there nothing to send.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from perdure.core.idempotency import KEPT, check_same, resend_of
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import Conflict, NotFound, ReplayedDeliveryRemoved
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.delivery_explanation import SKIPPED
from perdure.models.submission import IdempotencyKey
from perdure.repositories.delivery_filter import DeliveryFilter
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.repositories.idempotency_repository import IdempotencyRepository
from perdure.signals import NotificationCancelled, NotificationResent, NotificationsResent, Signals

BATCH = 500
"""Deliveries sent again in one transaction."""
PREVIEWED_BATCHES, PREVIEWED_BATCH = 10, 100
"""A preview counts no more of them, of so many each,"""
PREVIEW_SECONDS = 0.1
"""and begins with none later: a page waits for it."""


@dataclass(frozen=True, slots=True)
class ResentBatch:
    """How many matched, and were (or would be) sent again. Others that match are older than the id ``rest``."""

    matched: int
    resent: int
    rest: UUID | None


class DeliveryCommands:
    """The writing verbs on deliveries. ``by`` is who asks: the name of an API key, or "local"."""

    def __init__(self, database: Database, wakeup: Wakeup, signals: Signals) -> None:
        self._database = database
        self._wakeup = wakeup
        self._signals = signals

    async def resend(self, delivery_id: UUID, by: str) -> Delivery:
        """Tells once more what a finished delivery told. Asked twice at once, it tells twice."""
        async with self._database.transaction() as connection:
            again = await self._resent(connection, delivery_id, uuid7())
        self._announce(again, by)
        return again

    async def resend_once(self, delivery_id: UUID, by: str, key: IdempotencyKey) -> tuple[Delivery, bool]:
        """Like ``resend``, the first time; repeated under its key within a day, the delivery of that time, and True.

        Raises ``IdempotencyKeyReused`` where something else was asked then.
        """
        now = self._database.clock.now()
        request = resend_of(delivery_id, uuid7())
        async with self._database.transaction() as connection:
            first = await IdempotencyRepository(connection).take(key, request, now, now - KEPT)
            if first is not request:
                check_same(first, request)
                made = await DeliveryQueries(connection).get(first.job_id)
                if made is None:
                    raise ReplayedDeliveryRemoved(first.job_id)
                return made, True
            again = await self._resent(connection, delivery_id, request.job_id)
        self._announce(again, by)
        return again, False

    async def resend_all(
        self, wanted: DeliveryFilter, before: UUID | None, by: str, *, dry_run: bool, most: int | None = None
    ) -> ResentBatch:
        """Sends the next ``most`` (500) that match again, newest first, older than the id ``before``.

        Left as they are: those under way, without a recipient, or sent again already. So it may be asked again.
        """
        now, most = self._database.clock.now(), most or BATCH
        async with self._database.transaction() as connection:
            found = await DeliveryQueries(connection).newest(wanted, before, most + 1)
            batch = [one.delivery_id for one in found[:most]]
            deliveries = DeliveryRepository(connection)
            again = [told.resend(uuid7(), now) for told in await deliveries.hold_unsent(batch)]
            if not dry_run:
                await deliveries.add(again)
        if again and not dry_run:
            self._wakeup.ring(Topic.DELIVERIES)
            self._signals.emit(NotificationsResent(len(again), by))
        return ResentBatch(len(batch), len(again), batch[-1] if len(found) > most else None)

    async def preview_resend_all(self, wanted: DeliveryFilter) -> ResentBatch:
        """What ``resend_all`` would come to, batch by batch, as far as that is counted."""
        until = time.monotonic() + PREVIEW_SECONDS
        counted = ResentBatch(0, 0, None)
        for _ in range(PREVIEWED_BATCHES):
            batch = await self.resend_all(wanted, counted.rest, "", dry_run=True, most=PREVIEWED_BATCH)
            counted = ResentBatch(counted.matched + batch.matched, counted.resent + batch.resent, batch.rest)
            if counted.rest is None or time.monotonic() >= until:
                break
        return counted

    async def cancel(self, delivery_id: UUID, by: str) -> Delivery:
        """Calls off a delivery that waits to be sent; whoever held it before can change nothing any more."""
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            waiting = _found(await deliveries.lock(delivery_id))
            if waiting.status is DeliveryStatus.SENDING:
                raise Conflict(
                    "A try of the delivery is under way and cannot be called back. See what it comes to first."
                )
            if not waiting.is_waiting:
                raise Conflict(f"The delivery is {waiting.status} already; there is nothing left to cancel.")
            cancelled = waiting.cancel(self._database.clock.now())
            await deliveries.cancel(cancelled)
        self._signals.emit(NotificationCancelled(cancelled.delivery_id, cancelled.job_id, cancelled.provider, by))
        return cancelled

    async def _resent(self, connection: AsyncConnection, delivery_id: UUID, again_id: UUID) -> Delivery:
        deliveries = DeliveryRepository(connection)
        told = _found(await deliveries.hold(delivery_id))
        if not told.is_final:
            raise Conflict(f"The delivery is {told.status} and goes on by itself; only a finished one is sent again.")
        if told.recipient is None:
            raise Conflict(
                f"Nothing was sent ({told.reason}): {SKIPPED.get(told.reason or '', 'it has no recipient')}. There is "
                "nobody to send it to; submit a job whose `context` and `notifications` name one."
            )
        again = told.resend(again_id, self._database.clock.now())
        await deliveries.add([again])
        return again

    def _announce(self, again: Delivery, by: str) -> None:
        self._wakeup.ring(Topic.DELIVERIES)
        self._signals.emit(NotificationResent(again.delivery_id, again.job_id, again.provider, by))


def _found(delivery: Delivery | None) -> Delivery:
    if delivery is None:
        raise NotFound("There is no delivery with this id.")
    return delivery
