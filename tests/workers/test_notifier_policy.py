"""Providers that fail for hours: what it costs, and that nobody else notices. Time passes by ageing what is stored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.core.notifications.jobs import a_message

from perdure.core.notifications.providers.base import ChannelOptions
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.models.circuit import FAILURES_IN_A_ROW, CircuitState
from perdure.models.delivery import Attempt, Verdict
from perdure.models.delivery_policy import DeliveryPolicy, Rate
from perdure.signals import CircuitChanged
from perdure.workers.notifier import Notifier

HOUR = 3_600.0
POLICY = DeliveryPolicy(
    delays_seconds=(30, 120, 600, 1800, 7200), max_age_seconds=6 * HOUR, deadline_seconds=15, max_in_flight=10
)

WRITE = text("""
    INSERT INTO perdure.deliveries
        (delivery_id, job_id, run, event, channel, provider, recipient, status, attempts, fence, snapshot,
         next_attempt_at, created_at, destination)
    SELECT gen_random_uuid(), gen_random_uuid(), 1, 'SUCCESS', :channel, 'fake', 'r' || number, 'PENDING', 0, 0, '{}',
           clock_timestamp(), clock_timestamp(), :destination
    FROM generate_series(1, :count) AS number
""")
AGES = [
    text("""
        UPDATE perdure.deliveries SET created_at = created_at - make_interval(secs => :seconds),
            next_attempt_at = next_attempt_at - make_interval(secs => :seconds)
        WHERE finished_at IS NULL AND (attempts > 0 OR :all)
    """),
    text("""
        UPDATE perdure.circuits SET since = since - make_interval(secs => :seconds),
            blocked_until = blocked_until - make_interval(secs => :seconds),
            window_started_at = window_started_at - make_interval(secs => :seconds),
            next_free_at = next_free_at - make_interval(secs => :seconds),
            paused_at = paused_at - make_interval(secs => :seconds),
            resumed_at = resumed_at - make_interval(secs => :seconds)
    """),
]


class Fake:
    """A provider whose behaviour is a function of the message."""

    options = ChannelOptions

    def __init__(self, channel: str = "email", policy: DeliveryPolicy = POLICY) -> None:
        self.channel = channel
        self.name = f"{channel} provider"
        self.policy = policy
        self.calls: list[UUID] = []
        self.verdict = Verdict.ACCEPTED
        self.gate = asyncio.Event()
        self.gate.set()

    def destination(self, recipient: str) -> str:
        return "there"

    def missing_settings(self):
        return ()

    async def send(self, message):
        self.calls.append(message.delivery_id)
        verdict = self.verdict
        await self.gate.wait()
        return Attempt(verdict=verdict, error_type="told to", message="as told")


class Renderer:
    def render(self, delivery):
        return a_message(delivery_id=delivery.delivery_id, recipient=delivery.recipient)


@dataclass
class Bench:
    platform: object
    providers: list[Fake]
    notifier: Notifier
    changes: list[CircuitChanged] = field(default_factory=list)

    async def write(self, count: int, channel: str = "email", destination: str = "there") -> None:
        async with self.platform.database.transaction() as connection:
            await connection.execute(WRITE, {"count": count, "channel": channel, "destination": destination})

    async def age(self, seconds: float, *, untried: bool = True) -> None:
        """Lets time pass; for those that were never tried only if it matters, since they may be many."""
        async with self.platform.database.transaction() as connection:
            for statement in AGES:
                await connection.execute(statement, {"seconds": seconds, "all": untried})

    async def work(self) -> float:
        """Sends until nothing may be sent just now; returns in how many seconds it looks again."""
        while True:
            sleep = await self.notifier.tick()
            if sleep > 0 and not self.notifier.in_flight:
                return sleep
            await asyncio.gather(*self.notifier.in_flight)
            await self.notifier.completer.join()

    async def statuses(self) -> dict[tuple[str, str | None], int]:
        async with self.platform.database.snapshot() as connection:
            found = await connection.execute(
                text("SELECT status, reason, count(*) FROM perdure.deliveries GROUP BY status, reason")
            )
            return {(status, reason): count for status, reason, count in found}

    async def circuit(self):
        async with self.platform.database.snapshot() as connection:
            return (await connection.execute(text("SELECT * FROM perdure.circuits"))).mappings().one_or_none()


@asynccontextmanager
async def notifying(platform, *providers: Fake) -> AsyncIterator[Bench]:
    notifier = Notifier(platform.database, platform.signals, platform.wakeup, ProviderRegistry(providers), Renderer())
    bench = Bench(platform, list(providers), notifier)
    platform.signals.subscribe(CircuitChanged, bench.changes.append)
    saving = asyncio.create_task(notifier.completer.run())
    try:
        yield bench
    finally:
        await notifier.drain(0)
        saving.cancel()


async def test_an_outage_of_hours_costs_few_calls_and_no_message_and_nobody_else_waits(platform):
    failing, other = Fake(), Fake("webhook")
    failing.verdict = Verdict.TRANSIENT
    async with notifying(platform, failing, other) as bench:
        await bench.write(10_000)
        await bench.work()
        assert FAILURES_IN_A_ROW <= len(failing.calls) <= FAILURES_IN_A_ROW + POLICY.max_in_flight
        for _ in range(12):  # three hours
            await bench.age(900, untried=False)
            await bench.write(1, "webhook", "elsewhere")
            before = len(other.calls)
            await bench.work()
            assert len(other.calls) == before + 1
        spent = len(failing.calls)
        assert spent <= FAILURES_IN_A_ROW + POLICY.max_in_flight + 12
        statuses = await bench.statuses()
        assert statuses.pop(("SENT", None)) == 12
        assert (set(statuses), sum(statuses.values())) == ({("PENDING", None), ("RETRYING", None)}, 10_000)
        assert [(one.state, one.provider) for one in bench.changes] == [("OPEN", failing.name)]
        failing.verdict = Verdict.ACCEPTED
        await bench.age(900, untried=False)
        failing.gate.clear()
        await bench.notifier.tick()
        await asyncio.sleep(0)
        assert len(failing.calls) == spent + 1, "one probe, whatever waits"
        assert await bench.notifier.tick() > 0
        failing.gate.set()
        await asyncio.gather(*bench.notifier.in_flight)
        await bench.notifier.completer.join()
        assert [one.state for one in bench.changes] == ["OPEN", "CLOSED"]
        failing.gate.clear()
        await bench.notifier.tick()
        assert len(bench.notifier.in_flight) == POLICY.max_in_flight, "and then no more at a time than ever"
        failing.gate.set()


async def test_what_grows_too_old_behind_an_open_circuit_ends_without_a_call(platform):
    failing = Fake()
    failing.verdict = Verdict.TRANSIENT
    async with notifying(platform, failing) as bench:
        await bench.write(300)
        await bench.work()
        calls = len(failing.calls)
        await bench.age(6 * HOUR + 1)
        await bench.work()
        assert await bench.statuses() == {("FAILED", "expired"): 300}
        assert len(failing.calls) == calls


async def test_a_provider_that_refuses_us_is_paused_and_nobody_waiting_loses_anything(platform):
    refusing = Fake(policy=replace(POLICY, max_in_flight=3))
    refusing.verdict = Verdict.MISCONFIGURED
    async with notifying(platform, refusing) as bench:
        await bench.write(50)
        await bench.work()
        assert len(refusing.calls) == 3
        for _ in range(48):
            await bench.age(HOUR)
            await bench.work()
        assert 3 + 48 <= len(refusing.calls) <= 3 + 49
        assert [(one.state, one.message) for one in bench.changes] == [("PAUSED", "as told")], "one line"
        refusing.verdict = Verdict.ACCEPTED
        await bench.age(HOUR)
        await bench.work()
        assert await bench.statuses() == {("SENT", None): 50}
        assert bench.changes[-1].state == CircuitState.CLOSED


async def test_even_a_pause_ends_by_the_age_of_those_who_wait(platform):
    refusing = Fake()
    refusing.verdict = Verdict.MISCONFIGURED
    async with notifying(platform, refusing) as bench:
        await bench.write(5)
        await bench.work()
        await bench.age(77 * HOUR)
        await bench.work()
        assert ("FAILED", "expired") not in await bench.statuses()
        await bench.age(2 * HOUR)
        await bench.work()
        assert await bench.statuses() == {("FAILED", "expired"): 5}


async def test_whoever_starts_may_have_mended_it_so_it_is_probed_at_once(platform):
    refusing = Fake()
    refusing.verdict = Verdict.MISCONFIGURED
    async with notifying(platform, refusing) as bench:
        await bench.write(2)
        await bench.work()
    mended = Fake()
    async with notifying(platform, mended) as bench:
        await bench.work()
        assert await bench.statuses() == {("SENT", None): 2}


async def test_a_channel_that_hangs_fills_its_own_slots_alone(platform):
    hanging, other = Fake(), Fake("webhook")
    hanging.gate.clear()
    async with notifying(platform, hanging, other) as bench:
        await bench.write(100)
        await bench.notifier.tick()
        await bench.write(4, "webhook", "elsewhere")
        await bench.notifier.tick()
        await asyncio.sleep(0)
        assert (len(hanging.calls), len(other.calls)) == (POLICY.max_in_flight, 4)
        hanging.gate.set()


async def test_destinations_of_a_channel_take_turns(platform):
    fake = Fake(policy=replace(POLICY, max_in_flight=4))
    fake.gate.clear()
    async with notifying(platform, fake) as bench:
        await bench.write(100, destination="busy")
        await bench.write(2, destination="quiet")
        await bench.notifier.tick()
        async with platform.database.snapshot() as connection:
            sending = text(
                "SELECT destination, count(*) FROM perdure.deliveries WHERE status = 'SENDING' GROUP BY destination"
            )
            assert dict((await connection.execute(sending)).all()) == {"busy": 2, "quiet": 2}
        fake.gate.set()


async def test_processes_share_a_rate_and_keep_to_it(platform):
    policy = replace(POLICY, rate=Rate(9, HOUR), max_in_flight=50)
    one, other = Fake(policy=policy), Fake(policy=policy)
    async with notifying(platform, one) as first, notifying(platform, other) as second:
        await first.write(40)
        await asyncio.gather(first.work(), second.work())
        while await first.work() < 10:  # the other may have held it just then
            pass
        assert len(one.calls) + len(other.calls) == 3, "a third at once"
        for _ in range(12):
            await first.age(HOUR / 12)
            await asyncio.gather(first.work(), second.work())
        assert len(one.calls) + len(other.calls) in (9, 10)


async def test_where_all_goes_well_nothing_is_known_of_it(platform):
    fake = Fake()
    async with notifying(platform, fake) as bench:
        await bench.write(25)
        await bench.work()
        assert len(fake.calls) == 25
        assert await bench.circuit() is None


class Asked(Fake):
    """A provider that can be asked."""

    arrived: str | None = None

    async def find(self, message, since):
        if self.arrived == "raise":
            raise RuntimeError("no")
        return self.arrived


@pytest.mark.parametrize(("arrived", "calls"), [("m-1", 1), (None, 2), ("raise", 2)])
async def test_a_provider_that_can_be_asked_is_asked_before_anything_is_sent_twice(platform, arrived, calls):
    asked = Asked()
    asked.verdict = Verdict.AMBIGUOUS
    async with notifying(platform, asked) as bench:
        await bench.write(1)
        await bench.work()
        asked.verdict, asked.arrived = Verdict.ACCEPTED, arrived
        await bench.age(60)
        await bench.work()
        assert len(asked.calls) == calls
        async with platform.database.snapshot() as connection:
            row = (await connection.execute(text("SELECT * FROM perdure.deliveries"))).mappings().one()
            verdicts = text("SELECT verdict FROM perdure.delivery_attempts ORDER BY number")
            assert list((await connection.execute(verdicts)).scalars()) == ["ambiguous", "accepted"]
        assert (row["status"], row["attempts"], row["ambiguous_attempts"]) == ("SENT", 2, 1)
        assert row["provider_message_id"] == (arrived if calls == 1 else None)
