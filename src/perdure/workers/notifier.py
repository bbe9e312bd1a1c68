"""Claims due deliveries, lets their provider send, and puts every try on record. Jobs never wait for it.

Nothing a provider does gets out of here: an exception or a hang of a provider is an ``Attempt`` like any other. Each
channel has slots of its own, so that a slow provider delays nobody else's; a destination that fails, refuses us or has
its rate used up is left alone, by all processes (``models/circuit.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime

from perdure.core.notifications.circuits import note_calls
from perdure.core.notifications.providers.base import Selective, missing_for
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
from perdure.models.circuit import Call
from perdure.models.delivery import TAKEN, Attempt, Delivery, FailureReason, SkipReason, Verdict
from perdure.models.suppression import SuppressionReason
from perdure.repositories.circuit_repository import CircuitRepository
from perdure.repositories.delivery_claims import (
    MAX_DESTINATIONS,
    ClaimedDelivery,
    DeliveryClaims,
    Served,
    WaitingDestination,
)
from perdure.repositories.delivery_repository import DeliveryRepository, Try
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.schemas.recipients import shown
from perdure.signals import NotificationFailed, NotificationSettled, NotificationTried, Signals
from perdure.workers.batcher import Batcher
from perdure.workers.endpoint_health import note_endpoints
from perdure.workers.loop import Loop, sleep_until
from perdure.workers.sending import cause_of, destination_of, find_earlier, send

UNSERVED_IN_FLIGHT = 20
"""Of a channel whose provider is missing or not configured: its deliveries end without a call."""
POLL_SECONDS = 15.0
WALK_SECONDS = 0.2
"""Until the next look, where there are more destinations than one look takes in."""
LEASE_MARGIN_SECONDS = 30.0
"""A try is cut at its policy's deadline; its lease lasts this much longer, so that its end can be written."""

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
        self.in_flight: dict[asyncio.Task[None], str] = {}
        """The tries under way, each with its channel."""
        self._has_begun = False
        self._looked_until = ("", "")
        longest = max((provider.policy.deadline_seconds for provider in providers), default=0.0)
        self._lease_seconds = 2 * longest + LEASE_MARGIN_SECONDS  # a provider may first be asked what came of a try
        self.completer: Batcher[Conclusion] = Batcher("Notifier", self._save, signals)

    async def tick(self) -> float:
        used = Counter(self.in_flight.values())
        served = {channel: self._served(channel, used[channel]) for channel in self._providers.channels}
        async with self._database.transaction() as connection:
            if not self._has_begun:
                await CircuitRepository(connection).begin([provider.name for provider in self._providers])
            claims = DeliveryClaims(connection)
            found = await claims.look(list(served.values()), self._looked_until)
            places = [(served.get(one.channel) or self._served(one.channel, used[one.channel]), one) for one in found]
            free = [(channel, one) for channel, one in places if channel.slots > 0]
            claimed = await self._claim(claims, _longest_due(free))
            lost = [_lost_try(one, self._database.clock.now()) for one in claimed if one.sender_was_lost]
            await DeliveryRepository(connection).add_tries(lost)
            recipients = [one.delivery.recipient for one in claimed if one.delivery.recipient is not None]
            suppressed = await SuppressionRepository(connection).reasons(recipients)
        self._has_begun = True
        for one in claimed:
            self._start(one, suppressed.get(one.delivery.recipient or ""))
        is_walking = self._walk_on(found)
        if claimed:
            return 0.0
        return (
            WALK_SECONDS
            if is_walking
            else sleep_until(min((one.seconds for _, one in free), default=None), POLL_SECONDS)
        )

    async def _claim(self, claims: DeliveryClaims, due: list[tuple[Served, str]]) -> list[ClaimedDelivery]:
        if not due:
            return []
        under_rate = {
            (channel.provider, destination)
            for channel, destination in due
            if channel.provider is not None and channel.interval_seconds is not None
        }
        if under_rate:
            await claims.ensure(sorted(under_rate))
        return await claims.claim(due, self._lease_seconds)

    def _walk_on(self, found: list[WaitingDestination]) -> bool:
        """Where there are more destinations than one look takes in, the next begins after them, and at last anew."""
        before = self._looked_until
        is_full = len(found) == MAX_DESTINATIONS
        self._looked_until = (found[-1].channel, found[-1].destination) if is_full else ("", "")
        return self._looked_until != before

    def _served(self, channel: str, in_flight: int) -> Served:
        provider = self._providers.for_channel(channel)
        if provider is None or (not isinstance(provider, Selective) and provider.missing_settings()):
            return Served(channel=channel, provider=None, slots=UNSERVED_IN_FLIGHT - in_flight)
        policy = provider.policy
        return Served(
            channel=channel,
            provider=provider.name,
            slots=policy.max_in_flight - in_flight,
            burst=None if policy.rate is None else policy.rate.burst,
            interval_seconds=None if policy.rate is None else policy.rate.interval_seconds,
            max_age_seconds=policy.max_age_seconds,
        )

    async def drain(self, grace_seconds: float) -> None:
        """Lets tries under way end for ``grace_seconds``; one cut off is taken up again when its lease ends."""
        self.stop()
        if self.in_flight:
            await asyncio.wait(self.in_flight, timeout=grace_seconds)
        for task in tuple(self.in_flight):
            task.cancel()
        await self.completer.join()

    def _start(self, claimed: ClaimedDelivery, suppressed: SuppressionReason | None) -> None:
        task = asyncio.create_task(self._tell(claimed, suppressed))
        self.in_flight[task] = claimed.delivery.channel
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        channel = self.in_flight.pop(task)
        used = sum(other == channel for other in self.in_flight.values())
        if self._served(channel, used).slots == 1:  # it was full: more may be waiting
            self.woken.set()

    async def _tell(self, claimed: ClaimedDelivery, suppressed: SuppressionReason | None) -> None:
        """One claimed delivery, from the decision to try it to what came of it."""
        delivery, excused_seconds = claimed.delivery, claimed.excused_seconds
        provider = self._providers.for_channel(delivery.channel)
        now = self._database.clock.now()
        if provider is None or missing_for(provider, delivery.recipient):
            return self.completer.put((delivery.skip(SkipReason.PROVIDER_NOT_CONFIGURED, now), None))
        delivery = replace(delivery, provider=provider.name, destination=destination_of(provider, delivery))
        if not self._providers.allowed.allows(delivery.recipient or ""):
            return self.completer.put((delivery.skip(SkipReason.RECIPIENT_NOT_ALLOWED, now), None))
        if suppressed is not None:
            return self.completer.put((delivery.suppress(suppressed, now), None))
        reason = delivery.overdue(now, provider.policy, excused_seconds=excused_seconds)
        if reason is not None:
            return self.completer.put((delivery.fail(reason, now), None))
        try:
            message = self._renderer.render(delivery)
        except Exception as error:  # noqa: BLE001 (a template must not stop the loop; the cause is on record)
            attempt = Attempt(verdict=Verdict.PERMANENT, error_type="rendering", message=cause_of(error))
            concluded = delivery.fail(FailureReason.RENDERING_FAILED, now)
            return self.completer.put((concluded, _tried(delivery, now, 0.0, attempt)))
        started, call = time.monotonic(), None
        found = await find_earlier(provider, delivery, message)
        if found is None:
            call = _call(delivery, claimed)
        attempt = found or await send(provider, message)
        seconds = time.monotonic() - started
        concluded = delivery.conclude(
            attempt, self._database.clock.now(), provider.policy, excused_seconds=excused_seconds
        )
        return self.completer.put((concluded, replace(_tried(delivery, now, seconds, attempt), call=call)))

    async def _save(self, conclusions: list[Conclusion]) -> None:
        tries = [one for _, one in conclusions if one is not None]
        calls = [(one.call, one.attempt) for one in tries if one.call is not None]
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            written = await deliveries.apply([delivery for delivery, _ in conclusions])
            await deliveries.add_tries(tries)
            changes = await note_calls(connection, calls, self._database.clock.now())
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
        for change in changes:
            self._signals.emit(change.signal())
            self.woken.set()


def _longest_due(places: list[tuple[Served, WaitingDestination]]) -> list[tuple[Served, str]]:
    """Those that are due, no more of a channel than it has slots: the longest due."""
    due = sorted((place for place in places if place[1].seconds <= 0), key=lambda place: place[1].seconds)
    taken: Counter[str] = Counter()
    chosen = []
    for channel, one in due:
        taken[one.channel] += 1
        if taken[one.channel] <= channel.slots:
            chosen.append((channel, one.destination))
    return chosen


def _call(delivery: Delivery, claimed: ClaimedDelivery) -> Call:
    return Call(
        provider=delivery.provider,
        destination=delivery.destination,
        was_probe=claimed.is_probe,
        was_troubled=claimed.is_troubled,
    )


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
