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

from perdure.core.notifications.circuits import note_calls
from perdure.core.notifications.providers.base import Message, Provider
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.core.notifications.rendering import MessageRenderer
from perdure.db.session import Database
from perdure.db.wakeup import Topic, Wakeup
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
from perdure.repositories.delivery_repository import DeliveryRepository
from perdure.repositories.suppression_repository import SuppressionRepository
from perdure.signals import Signals
from perdure.workers.batcher import Batcher
from perdure.workers.concluded import (
    Concluded,
    call_of,
    lost_try,
    said_of_end,
    said_of_failure,
    said_of_try,
    tried,
)
from perdure.workers.endpoint_health import note_endpoints
from perdure.workers.jobs_first import JobsFirst
from perdure.workers.loop import Loop, sleep_until
from perdure.workers.sending import cause_of, destination_of, find_earlier, is_served, lacks_settings, send

UNSERVED_IN_FLIGHT = 20
"""Of a channel whose provider is missing or not configured: its deliveries end without a call."""
POLL_SECONDS = 15.0
WALK_SECONDS = 0.2
"""Until the next look, where there are more destinations than one look takes in."""
LEASE_MARGIN_SECONDS = 30.0
"""A try is cut at its policy's deadline; its lease lasts this much longer, so that its end can be written."""
INTERRUPTED = Attempt(
    verdict=Verdict.AMBIGUOUS,
    error_type="interrupted",
    message="the process that was sending was told to end; it may have been sent",
)


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
        self.jobs_first = JobsFirst(signals)
        self._has_begun = False
        self._looked_until = ("", "")
        longest = max((provider.policy.deadline_seconds for provider in providers), default=0.0)
        self._lease_seconds = 2 * longest + LEASE_MARGIN_SECONDS  # a provider may first be asked what came of a try
        self.completer: Batcher[Concluded] = Batcher("Notifier", self._save, signals)

    async def tick(self) -> float:
        if (seconds := self.jobs_first.seconds_until_turn(time.monotonic())) > 0:
            return seconds
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
            lost = [lost_try(one, self._database.clock.now()) for one in claimed if one.sender_was_lost]
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
        limited = {
            (channel.provider, destination)
            for channel, destination in due
            if channel.provider is not None and channel.is_limited
        }
        if limited:
            await claims.ensure(sorted(limited))
        return await claims.claim(due, self._lease_seconds)

    def _walk_on(self, found: list[WaitingDestination]) -> bool:
        """Where there are more destinations than one look takes in, the next begins after them, and at last anew."""
        before = self._looked_until
        is_full = len(found) == MAX_DESTINATIONS
        self._looked_until = (found[-1].channel, found[-1].destination) if is_full else ("", "")
        return self._looked_until != before

    def _served(self, channel: str, in_flight: int) -> Served:
        provider = self._providers.for_channel(channel)
        if provider is None or not is_served(provider):
            return Served(channel=channel, provider=None, slots=UNSERVED_IN_FLIGHT - in_flight)
        policy = provider.policy
        return Served(
            channel=channel,
            provider=provider.name,
            slots=policy.max_in_flight - in_flight,
            burst=None if policy.rate is None else policy.rate.burst,
            interval_seconds=None if policy.rate is None else policy.rate.interval_seconds,
            max_age_seconds=policy.max_age_seconds,
            slots_each=policy.max_in_flight_each,
        )

    async def drain(self, grace_seconds: float) -> None:
        """Lets tries under way end for ``grace_seconds``; those that are cut off are put on record, and tried again."""
        self.stop()
        if self.in_flight:
            await asyncio.wait(self.in_flight, timeout=grace_seconds)
        cut_off = tuple(self.in_flight)
        for task in cut_off:
            task.cancel()
        await asyncio.gather(*cut_off, return_exceptions=True)
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
        delivery = claimed.delivery
        provider = self._providers.for_channel(delivery.channel)
        now = self._database.clock.now()
        if provider is None:
            unserved = delivery.skip(SkipReason.PROVIDER_NOT_CONFIGURED, now)
            return self.completer.put(Concluded(unserved, call_of(delivery, claimed)))
        delivery = replace(delivery, provider=provider.name, destination=destination_of(provider, delivery))
        ended = self._ended_untried(provider, delivery, suppressed, claimed.excused_seconds)
        if ended is not None:
            return self.completer.put(Concluded(ended, call_of(delivery, claimed)))
        try:
            message = self._renderer.render(delivery)
        except Exception as error:  # noqa: BLE001 (a template must not stop the loop; the cause is on record)
            attempt = Attempt(verdict=Verdict.PERMANENT, error_type="rendering", message=cause_of(error))
            ended = delivery.fail(FailureReason.RENDERING_FAILED, now)
            return self.completer.put(Concluded(ended, call_of(delivery, claimed), tried(delivery, now, 0.0, attempt)))
        return await self._try(claimed, delivery, provider, message)

    async def _try(self, claimed: ClaimedDelivery, delivery: Delivery, provider: Provider, message: Message) -> None:
        began, started, answer = self._database.clock.now(), time.monotonic(), None
        attempt = INTERRUPTED
        try:
            found = await find_earlier(provider, delivery, message)
            attempt = found or await send(provider, message)
            answer = None if found is not None else attempt
        finally:  # also where this process is told to end: so the next try need not wait for the lease of this one
            ended = delivery.conclude(
                attempt, self._database.clock.now(), provider.policy, excused_seconds=claimed.excused_seconds
            )
            one_try = tried(delivery, began, time.monotonic() - started, attempt)
            self.completer.put(Concluded(ended, call_of(delivery, claimed), one_try, answer))

    def _ended_untried(
        self, provider: Provider, delivery: Delivery, suppressed: SuppressionReason | None, excused_seconds: float
    ) -> Delivery | None:
        """The delivery as it ends where it must not be sent, judged right before it would be; None: it may be."""
        now = self._database.clock.now()
        if lacks_settings(provider, delivery.recipient):
            return delivery.skip(SkipReason.PROVIDER_NOT_CONFIGURED, now)
        if not self._providers.allowed.allows(delivery.recipient or ""):
            return delivery.skip(SkipReason.RECIPIENT_NOT_ALLOWED, now)
        if suppressed is not None:
            return delivery.suppress(suppressed, now)
        reason = delivery.overdue(now, provider.policy, excused_seconds=excused_seconds)
        return None if reason is None else delivery.fail(reason, now)

    async def _save(self, conclusions: list[Concluded]) -> None:
        now = self._database.clock.now()
        async with self._database.transaction() as connection:
            deliveries = DeliveryRepository(connection)
            written = await deliveries.apply([one.delivery for one in conclusions])
            await deliveries.add_tries([one.one_try for one in conclusions if one.one_try is not None])
            changes = await note_calls(connection, [(one.call, one.answer) for one in conclusions], now)
            disabled = await note_endpoints(connection, conclusions)
        for endpoint in disabled:
            self._signals.emit(endpoint)
        for one in conclusions:
            self._say(one, was_written=one.delivery.delivery_id in written)
        for change in changes:
            self._signals.emit(change.signal())
        if changes or any(self._makes_room(one.delivery) for one in conclusions):
            self.woken.set()

    def _makes_room(self, delivery: Delivery) -> bool:
        """Whether there may be something to do now that waited for its end, or was due later than it is itself."""
        provider = self._providers.for_channel(delivery.channel)
        return delivery.finished_at is None or (provider is not None and provider.policy.max_in_flight_each is not None)

    def _say(self, concluded: Concluded, *, was_written: bool) -> None:
        delivery, one_try = concluded.delivery, concluded.one_try
        if one_try is not None:
            self._signals.emit(said_of_try(one_try))
            if one_try.attempt.verdict not in TAKEN:
                self._signals.emit(said_of_failure(delivery, one_try))
        if was_written and delivery.finished_at is not None:  # else another's word counts: its lease had ended
            self._signals.emit(said_of_end(delivery, delivery.finished_at))


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
