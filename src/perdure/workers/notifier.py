"""Claims due deliveries, lets their provider send, and puts every try on record. Jobs never wait for it.

Nothing a provider does gets out of here: an exception or a hang of a provider is an ``Attempt`` like any other.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import datetime

from perdure.core.notifications.providers.base import Message, Provider, missing_for
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.delivery import TAKEN, Attempt, Delivery, FailureReason, SkipReason, Verdict
from perdure.models.suppression import SuppressionReason
from perdure.repositories.delivery_repository import ClaimedDelivery, DeliveryRepository, Try
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.schemas.recipients import shown
from perdure.signals import NotificationFailed, NotificationSettled, NotificationTried, Signals
from perdure.workers.batcher import Batcher
from perdure.workers.endpoint_health import note_endpoints
from perdure.workers.loop import Loop, sleep_until

MAX_IN_FLIGHT = 20
POLL_SECONDS = 15.0
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
            recipients = [one.delivery.recipient for one in claimed if one.delivery.recipient is not None]
            suppressed = await SuppressionRepository(connection).reasons(recipients)
            next_due = await deliveries.seconds_until_next_due()
        for one in claimed:
            self._start(one.delivery, suppressed.get(one.delivery.recipient or ""))
        return sleep_until(next_due, POLL_SECONDS)

    async def drain(self, grace_seconds: float) -> None:
        """Lets tries under way end for ``grace_seconds``; one cut off is taken up again when its lease ends."""
        self.stop()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=grace_seconds)
        for task in tuple(self._in_flight):
            task.cancel()
        await self.completer.join()

    def _start(self, delivery: Delivery, suppressed: SuppressionReason | None) -> None:
        task = asyncio.create_task(self._tell(delivery, suppressed))
        self._in_flight.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if len(self._in_flight) == MAX_IN_FLIGHT - 1:  # it was full: more may be waiting
            self.woken.set()

    async def _tell(self, delivery: Delivery, suppressed: SuppressionReason | None) -> None:
        """One claimed delivery, from the decision to try it to what came of it."""
        provider = self._providers.for_channel(delivery.channel)
        now = self._database.clock.now()
        if provider is None or missing_for(provider, delivery.recipient):
            return self.completer.put((delivery.skip(SkipReason.PROVIDER_NOT_CONFIGURED, now), None))
        delivery = replace(delivery, provider=provider.name)
        if not self._providers.allowed.allows(delivery.recipient or ""):
            return self.completer.put((delivery.skip(SkipReason.RECIPIENT_NOT_ALLOWED, now), None))
        if suppressed is not None:
            return self.completer.put((delivery.suppress(suppressed, now), None))
        reason = delivery.overdue(now, provider.policy)
        if reason is not None:
            return self.completer.put((delivery.fail(reason, now), None))
        try:
            message = self._renderer.render(delivery)
        except Exception as error:  # noqa: BLE001 (a template must not stop the loop; the cause is on record)
            attempt = Attempt(verdict=Verdict.PERMANENT, error_type="rendering", message=_cause(error))
            concluded = delivery.fail(FailureReason.RENDERING_FAILED, now)
            return self.completer.put((concluded, _tried(delivery, now, 0.0, attempt)))
        started = time.monotonic()
        attempt = await _send(provider, message)
        seconds = time.monotonic() - started
        concluded = delivery.conclude(attempt, self._database.clock.now(), provider.policy)
        return self.completer.put((concluded, _tried(delivery, now, seconds, attempt)))

    async def _save(self, conclusions: list[Conclusion]) -> None:
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            written = await deliveries.apply([delivery for delivery, _ in conclusions])
            await deliveries.add_tries([one for _, one in conclusions if one is not None])
            disabled = await note_endpoints(connection, conclusions)
        for endpoint in disabled:
            self._signals.emit(endpoint)
        for delivery, one_try in conclusions:
            if one_try is not None:
                self._signals.emit(_tried_signal(one_try))
                if one_try.attempt.verdict not in TAKEN:
                    self._signals.emit(_failed(delivery, one_try))
            if delivery.delivery_id not in written:
                continue  # the fence: its lease ended, and another's word counts
            if delivery.finished_at is not None:
                self._signals.emit(_settled(delivery, delivery.finished_at))
            else:
                self.woken.set()  # a new due time, perhaps sooner than the one it sleeps until


async def _send(provider: Provider, message: Message) -> Attempt:
    """Calls the provider. Whatever it does, the answer is an ``Attempt``; only a cancellation passes."""
    try:
        async with asyncio.timeout(provider.policy.deadline_seconds + PROVIDER_GRACE_SECONDS):
            return await provider.send(message)
    except TimeoutError as error:
        return Attempt(verdict=Verdict.AMBIGUOUS, error_type="deadline", message=_cause(error))
    except Exception as error:  # noqa: BLE001 (the wall between providers and the platform)
        return Attempt(verdict=Verdict.AMBIGUOUS, error_type=type(error).__name__, message=_cause(error))


def _cause(error: Exception) -> str:
    """Names the error without its text, which may hold a key or an address."""
    return f"{type(error).__name__} was raised"


def _tried(delivery: Delivery, started_at: datetime, seconds: float, attempt: Attempt) -> Try:
    return Try(
        delivery_id=delivery.delivery_id,
        number=delivery.attempts,
        provider=delivery.provider,
        started_at=started_at,
        duration_ms=round(seconds * 1000),
        attempt=attempt,
    )


def _lost_try(claimed: ClaimedDelivery, now: datetime) -> Try:
    """The record of a try whose sender vanished: it may have been sent."""
    earlier = replace(claimed.delivery, attempts=claimed.delivery.attempts - 1)
    lost = Attempt(
        verdict=Verdict.AMBIGUOUS,
        error_type="sender_lost",
        message="the process that was sending ended without a word; it may have been sent",
    )
    return _tried(earlier, now, 0.0, lost)


def _tried_signal(one_try: Try) -> NotificationTried:
    return NotificationTried(one_try.provider, one_try.attempt.verdict.value, one_try.duration_ms / 1000)


def _settled(delivery: Delivery, finished_at: datetime) -> NotificationSettled:
    return NotificationSettled(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        status=delivery.status.value,
        reason=delivery.reason,
        duration_seconds=max((finished_at - delivery.created_at).total_seconds(), 0.0),
    )


def _failed(delivery: Delivery, one_try: Try) -> NotificationFailed:
    attempt = one_try.attempt
    return NotificationFailed(
        delivery_id=delivery.delivery_id,
        job_id=delivery.job_id,
        provider=delivery.provider,
        recipient=shown(delivery.channel, delivery.recipient or ""),
        attempt=one_try.number,
        error_type=attempt.error_type or attempt.verdict.value,
        message=attempt.message or "",
        final=delivery.finished_at is not None,
    )
