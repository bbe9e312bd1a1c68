"""Takes in what is said of messages after they were sent: kept once, applied by rank, and a bounce is remembered.

What providers say comes through here, and what recipients say by the link in a mail. All of one call is one unit of
work: the feedback, what it makes of the deliveries, and the suppression list change together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from perdure.db.session import Database
from perdure.models.delivery import Delivery, DeliveryStatus
from perdure.models.feedback import SUPPRESSING, Feedback, FeedbackKind, hear
from perdure.models.suppression import Suppression, listed_as
from perdure.repositories.delivery_queries import DeliveryQueries
from perdure.repositories.feedback_repository import FeedbackRepository
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.signals import FeedbackHeard, NotificationSettled, Signals

RECIPIENT = "recipient"
"""Who said it, where the recipient did by the link in a mail."""
_UNSUBSCRIBED = "unsubscribed"
"""The id of that event: a recipient can say it of a delivery once."""


class FeedbackTaking:
    """The one way in for feedback."""

    def __init__(self, database: Database, signals: Signals) -> None:
        self._database = database
        self._signals = signals

    async def take(self, said: Sequence[Feedback]) -> Sequence[Feedback]:
        """Keeps what is new of ``said``, and returns that once it is committed.

        Of a delivery that retention has removed nothing is kept but the suppression that follows from it.
        """
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            repository = FeedbackRepository(connection)
            before = {one.delivery_id: one for one in await repository.hold({one.delivery_id for one in said})}
            new = await repository.add([one for one in said if one.delivery_id in before], now)
            after = _heard(before, new, now)
            await repository.apply([one for one in after.values() if one is not before[one.delivery_id]])
            homeless = [one for one in said if one.delivery_id not in before]
            await SuppressionRepository(connection).add(_suppressions([*new, *homeless], after, now))
        self._announce(new, before, after)
        return new

    async def unsubscribe(self, delivery_id: UUID) -> Delivery | None:
        """Lists the recipient of the delivery, as they ask; None where there is no such delivery (any more)."""
        delivery = await self.delivery(delivery_id)
        if delivery is not None:
            said = Feedback(
                delivery_id=delivery_id,
                event_id=_UNSUBSCRIBED,
                provider=RECIPIENT,
                kind=FeedbackKind.UNSUBSCRIBED,
                occurred_at=self._database.clock.now(),
            )
            await self.take([said])
        return delivery

    async def delivery(self, delivery_id: UUID) -> Delivery | None:
        """The delivery of which somebody wants to say something, if it told anybody."""
        async with self._database.snapshot() as connection:
            found = await DeliveryQueries(connection).get(delivery_id)
        return None if found is None or found.recipient is None else found

    def _announce(
        self, new: Sequence[Feedback], before: Mapping[UUID, Delivery], after: Mapping[UUID, Delivery]
    ) -> None:
        for one in new:
            self._signals.emit(
                FeedbackHeard(
                    delivery_id=one.delivery_id,
                    job_id=after[one.delivery_id].job_id,
                    provider=one.provider,
                    kind=one.kind.value,
                    status=after[one.delivery_id].status.value,
                    detail=one.detail,
                )
            )
        for delivery_id, delivery in after.items():
            if delivery.finished_at is not None and before[delivery_id].status is DeliveryStatus.RETRYING:
                self._signals.emit(_settled(delivery, delivery.finished_at))  # of one that it holds, a notifier tells


def _heard(before: Mapping[UUID, Delivery], new: Sequence[Feedback], now: datetime) -> dict[UUID, Delivery]:
    after = dict(before)
    for one in sorted(new, key=lambda one: one.occurred_at):
        after[one.delivery_id] = hear(after[one.delivery_id], one, now)
    return after


def _suppressions(said: Sequence[Feedback], deliveries: Mapping[UUID, Delivery], now: datetime) -> list[Suppression]:
    """One for each address that is to be listed. Whom we told counts for more than whom the feedback names."""
    found: dict[str, Suppression] = {}
    for one in said:
        delivery = deliveries.get(one.delivery_id)
        recipient = one.recipient if delivery is None else delivery.recipient
        if recipient is not None and one.kind in SUPPRESSING:
            address = listed_as(recipient)
            suppression = Suppression(
                suppression_id=uuid7(),
                address=address,
                reason=SUPPRESSING[one.kind],
                added_by=one.provider,
                created_at=now,
                delivery_id=one.delivery_id,
            )
            found.setdefault(address, suppression)
    return list(found.values())


def _settled(delivery: Delivery, finished_at: datetime) -> NotificationSettled:
    return NotificationSettled(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        status=delivery.status.value,
        reason=delivery.reason,
        duration_seconds=max((finished_at - delivery.created_at).total_seconds(), 0.0),
    )
