"""What can be asked of subscriptions: look, set, delete. What is set must tell somebody."""

from __future__ import annotations

from collections.abc import Sequence

from uuid_utils.compat import uuid7

from perdure.core.notifications.dispatcher import NotificationDispatcher, Outbox
from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.subscription_copy import SubscriptionCopy
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.errors import FieldProblem, NotFound, ValidationFailed
from perdure.models.delivery import DeliveryStatus
from perdure.models.job import Job
from perdure.models.retry import RetryPolicy
from perdure.models.subscription import Subscription, Subscriptions
from perdure.repositories.subscription_repository import SubscriptionRepository
from perdure.schemas.subscription import SubscriptionWrite
from perdure.signals import Signals, SubscriptionDeleted, SubscriptionSet

_EVENTS = [event.value for event in JobEvent]


class SubscriptionCommands:
    """The verbs on subscriptions, each its own unit of work. ``by`` is who asks: an API key's name, or "local"."""

    def __init__(
        self,
        database: Database,
        providers: ProviderRegistry,
        copy: SubscriptionCopy,
        wakeup: Wakeup,
        signals: Signals,
    ) -> None:
        self._database = database
        self._providers = providers
        self._copy = copy
        self._wakeup = wakeup
        self._signals = signals

    async def list(self) -> Sequence[Subscription]:
        """Every subscription, in order of name."""
        async with self._database.snapshot() as connection:
            return await SubscriptionRepository(connection).all()

    async def get(self, name: str) -> Subscription:
        async with self._database.snapshot() as connection:
            found = await SubscriptionRepository(connection).get(name)
        if found is None:
            raise _not_found()
        return found

    async def set(self, name: str, sent: SubscriptionWrite, by: str) -> tuple[Subscription, bool]:
        """Stores it in the place of the one of its name, if there is one; returns it and whether there was none.

        Here it holds once this returns, in other processes within a second. Raises ``ValidationFailed`` where a channel
        or an event is none, or a channel would tell nobody.
        """
        now = self._database.clock.now()
        wanted = Subscription(
            name=name,
            job_type=sent.job_type,
            queue=sent.queue,
            events=tuple(dict.fromkeys(sent.events)),
            notifications=sent.notifications,
            created_at=now,
            updated_at=now,
            set_by=by,
        )
        problems = self._shape_problems(wanted) or self._silent_channels(wanted)
        if problems:
            raise ValidationFailed([*problems])
        async with self._database.transaction() as connection:
            stored, is_new = await SubscriptionRepository(connection).save(wanted)
        await self._changed()
        self._signals.emit(SubscriptionSet(name, by))
        return stored, is_new

    async def delete(self, name: str, by: str) -> None:
        """Nobody is told by it any more; what is written already is still sent."""
        async with self._database.transaction() as connection:
            if not await SubscriptionRepository(connection).delete(name):
                raise _not_found()
        await self._changed()
        self._signals.emit(SubscriptionDeleted(name, by))

    async def _changed(self) -> None:
        self._wakeup.ring(Topic.SUBSCRIPTIONS)
        await self._copy.refresh()

    def _shape_problems(self, wanted: Subscription) -> Sequence[FieldProblem]:
        problems = [
            FieldProblem(f"events[{place}]", f"must be one of {', '.join(_EVENTS)}", "enum")
            for place, event in enumerate(wanted.events)
            if event not in _EVENTS
        ]
        problems += [
            FieldProblem(
                f"notifications.{channel}.on", "is what `events` of the subscription says; leave it out", "left_out"
            )
            for channel, options in wanted.notifications.items()
            if options is not None and "on" in options
        ]
        return problems + self._providers.validate_declaration(wanted.notifications)

    def _silent_channels(self, wanted: Subscription) -> Sequence[FieldProblem]:
        """The channels that would tell nobody, as the dispatcher has it: by what they say or, being null, at all."""
        outbox = Outbox()
        dispatcher = NotificationDispatcher(self._providers, outbox, wanted.updated_at, Subscriptions([wanted]))
        dispatcher.dispatch(_some_job(wanted), JobEvent(wanted.events[0]))
        told = {one.channel for one in outbox.deliveries if one.status is DeliveryStatus.PENDING}
        reasons = {one.channel: one.reason for one in outbox.deliveries}
        return [
            FieldProblem(
                f"notifications.{channel}",
                f"would tell nobody ({reasons.get(channel) or 'null'}): name whom to tell here, or leave it out; the "
                "context of jobs is not asked",
                "tells_nobody",
            )
            for channel in wanted.notifications
            if channel not in told
        ]


def _some_job(wanted: Subscription) -> Job:
    """A job that the subscription is about."""
    return Job.submit(
        job_id=uuid7(),
        run_at=None,
        now=wanted.updated_at,
        job_type=wanted.job_type or "any",
        payload=None,
        queue=wanted.queue or "any",
        priority=0,
        max_attempts=1,
        timeout_seconds=1.0,
        retry=RetryPolicy(),
    )


def _not_found() -> NotFound:
    return NotFound("There is no subscription of this name. `GET /v1/subscriptions` lists those there are.")
