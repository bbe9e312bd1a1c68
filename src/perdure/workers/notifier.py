"""Claims due deliveries, lets their provider send, and puts every try on record. Jobs never wait for it.

Nothing a provider does gets out of here: an exception or a hang of a provider is an ``Attempt`` like any other.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime

from perdure.core.notifications.providers.base import Message, Provider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.delivery import Attempt, Delivery, DeliveryStatus, FailureReason, SkipReason, Verdict
from perdure.repositories.delivery_repository import ClaimedDelivery, DeliveryRepository, Try
from perdure.schemas.addresses import mask
from perdure.signals import NotificationFailed, NotificationSent, Signals
from perdure.workers.batcher import Batcher
from perdure.workers.loop import Loop

MAX_IN_FLIGHT = 20
POLL_SECONDS = 5.0
LEASE_MARGIN_SECONDS = 30.0
"""A try is cut at its policy's deadline; its lease lasts this much longer, so that its end can be written."""
PROVIDER_GRACE_SECONDS = 1.0
"""A provider keeps its own deadline; one that does not is cut this much later."""

Conclusion = tuple[Delivery, Try | None]


class Notifier(Loop):
    def __init__(
        self,
        database: Database,
        signals: Signals,
        wakeup: Wakeup,
        providers: ProviderRegistry,
        renderer: MessageRenderer,
    ) -> None:
        super().__init__(signals, wakeup.event(Topic.DELIVERIES))
        self._database = database
        self._providers = providers
        self._renderer = renderer
        self._in_flight: set[asyncio.Task[None]] = set()
        longest = max((provider.policy.deadline_seconds for provider in providers), default=0.0)
        self._lease_seconds = longest + LEASE_MARGIN_SECONDS
        self.completer: Batcher[Conclusion] = Batcher("Notifier", self._save, signals)

    async def tick(self) -> float:
        free = MAX_IN_FLIGHT - len(self._in_flight)
        if free == 0:
            return POLL_SECONDS
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            claimed = await deliveries.claim_due(free, self._lease_seconds)
            await deliveries.add_tries(
                [_lost_try(one, self._database.clock.now()) for one in claimed if one.sender_was_lost]
            )
            next_due = await deliveries.seconds_until_next_due()
        for one in claimed:
            self._start(one.delivery)
        return POLL_SECONDS if next_due is None else min(max(next_due, 0.0), POLL_SECONDS)

    async def drain(self, grace_seconds: float) -> None:
        """Lets tries under way end for ``grace_seconds``; one cut off is taken up again when its lease ends."""
        self.stop()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=grace_seconds)
        for task in tuple(self._in_flight):
            task.cancel()
        await self.completer.join()

    def _start(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._tell(delivery))
        self._in_flight.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if len(self._in_flight) == MAX_IN_FLIGHT - 1:  # it was full: more may be waiting
            self.woken.set()

    async def _tell(self, delivery: Delivery) -> None:
        provider = self._providers.for_channel(delivery.channel)
        now = self._database.clock.now()
        if provider is None or provider.missing_settings():
            self.completer.put((delivery.skip(SkipReason.PROVIDER_NOT_CONFIGURED, now), None))
            return
        delivery = replace(delivery, provider=provider.name)
        reason = delivery.overdue(now, provider.policy)
        if reason is not None:
            self.completer.put((delivery.fail(reason, now), None))
            return
        started, one_try = now, await self._try(provider, delivery, now)
        if one_try.attempt.error_type == _RENDERING:
            self.completer.put((delivery.fail(FailureReason.RENDERING_FAILED, started), one_try))
            return
        concluded = delivery.conclude(one_try.attempt, self._database.clock.now(), provider.policy)
        self.completer.put((concluded, one_try))

    async def _try(self, provider: Provider, delivery: Delivery, now: datetime) -> Try:
        started = time.monotonic()
        try:
            message = self._renderer.render(delivery)
        except Exception as error:  # noqa: BLE001 (a template must not stop the loop; the cause is on record)
            attempt = _raised(error, Verdict.PERMANENT, _RENDERING)
        else:
            attempt = await _send(provider, message)
        return Try(
            delivery_id=delivery.delivery_id,
            number=delivery.attempts,
            provider=provider.name,
            started_at=now,
            duration_ms=round((time.monotonic() - started) * 1000),
            attempt=attempt,
        )

    async def _save(self, conclusions: list[Conclusion]) -> None:
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            await deliveries.apply([delivery for delivery, _ in conclusions])
            await deliveries.add_tries([one for _, one in conclusions if one is not None])
        for delivery, one_try in conclusions:
            if one_try is not None:
                self._signals.emit(_told(delivery, one_try))
        if any(delivery.status is DeliveryStatus.RETRYING for delivery, _ in conclusions):
            self.woken.set()


_RENDERING = "rendering"


async def _send(provider: Provider, message: Message) -> Attempt:
    """Calls the provider. Whatever it does, the answer is an ``Attempt``; only a cancellation passes."""
    try:
        async with asyncio.timeout(provider.policy.deadline_seconds + PROVIDER_GRACE_SECONDS):
            return await provider.send(message)
    except TimeoutError as error:
        return _raised(error, Verdict.AMBIGUOUS, "deadline")
    except Exception as error:  # noqa: BLE001 (the wall between providers and the platform)
        return _raised(error, Verdict.AMBIGUOUS, type(error).__name__)


def _raised(error: Exception, verdict: Verdict, error_type: str) -> Attempt:
    """The text of the error is left out: it may hold a key or an address."""
    return Attempt(verdict=verdict, error_type=error_type, message=f"the provider raised {type(error).__name__}")


def _lost_try(claimed: ClaimedDelivery, now: datetime) -> Try:
    """The record of a try whose sender vanished: it may have been sent."""
    delivery = claimed.delivery
    return Try(
        delivery_id=delivery.delivery_id,
        number=delivery.attempts - 1,
        provider=delivery.provider,
        started_at=now,
        duration_ms=0,
        attempt=Attempt(
            verdict=Verdict.AMBIGUOUS,
            error_type="sender_lost",
            message="the process that was sending ended without a word; it may have been sent",
        ),
    )


def _told(delivery: Delivery, one_try: Try) -> NotificationSent | NotificationFailed:
    attempt = one_try.attempt
    if attempt.verdict is Verdict.ACCEPTED:
        return NotificationSent(delivery.delivery_id, delivery.job_id, delivery.provider)
    return NotificationFailed(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        recipient=mask(delivery.recipient or ""),
        attempt=one_try.number,
        error_type=attempt.error_type or attempt.verdict.value,
        message=attempt.message or "",
        final=delivery.status is not DeliveryStatus.RETRYING,
    )
