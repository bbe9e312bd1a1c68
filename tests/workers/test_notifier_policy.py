"""Providers that fail for hours: what it costs, and that nobody else notices. Time passes by ageing what is stored."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.core.notifications.jobs import a_message

from perdure.core.notifications.allowed_recipients import EVERYBODY, AllowedRecipients
from perdure.core.notifications.providers.base import ChannelOptions
from perdure.core.notifications.providers.registry import ProviderRegistry
from perdure.models.circuit import FAILURES_IN_A_ROW, FIRST_BREAK_SECONDS, CircuitState
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
    """A provider that does as it is told."""

    options = ChannelOptions

    def __init__(self, channel: str = "email", policy: DeliveryPolicy = POLICY) -> None:
        self.channel = channel
        self.name = f"{channel} provider"
        self.policy = policy
        self.calls: list[UUID] = []
        self.verdict = Verdict.ACCEPTED
        self.verdict_of: dict[str, Attempt] = {}
        """What it says of a recipient, if it is another."""
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
        told = Attempt(verdict=verdict, error_type="told to", message="as told")
        return self.verdict_of.get(message.recipient, told)


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
            if sleep > 0 and not self.notifier.in_flight and not self.notifier.completer.unsaved:
                return sleep
            await asyncio.gather(*self.notifier.in_flight)
            await self.notifier.completer.join()

    async def statuses(self) -> dict[tuple[str, str | None], int]:
        async with self.platform.database.snapshot() as connection:
            found = await connection.execute(
                text("SELECT status, reason, count(*) FROM perdure.deliveries GROUP BY status, reason")
            )
            return {(status, reason): count for status, reason, count in found}

    async def most_attempts(self) -> int:
        async with self.platform.database.snapshot() as connection:
            return (await connection.execute(text("SELECT max(attempts) FROM perdure.deliveries"))).scalar_one()

    async def until_probe(self) -> float:
        """In how many seconds a circuit that is not closed is probed."""
        async with self.platform.database.snapshot() as connection:
            left = text(
                "SELECT extract(epoch FROM blocked_until - clock_timestamp())::float8 FROM perdure.circuits "
                "WHERE state <> 'CLOSED'"
            )
            return max((await connection.execute(left)).scalar_one(), 0.0)

    async def circuit(self):
        async with self.platform.database.snapshot() as connection:
            return (await connection.execute(text("SELECT * FROM perdure.circuits"))).mappings().one_or_none()


@asynccontextmanager
async def notifying(platform, *providers: Fake, allowed: AllowedRecipients = EVERYBODY) -> AsyncIterator[Bench]:
    registry = ProviderRegistry(providers, allowed)
    notifier = Notifier(platform.database, platform.signals, platform.wakeup, registry, Renderer())
    bench = Bench(platform, list(providers), notifier)
    platform.signals.subscribe(CircuitChanged, bench.changes.append)
    saving = asyncio.create_task(notifier.completer.run())
    try:
        yield bench
    finally:
        await notifier.drain(0)
        saving.cancel()


async def told_meanwhile(bench: Bench, failing: Fake, other: Fake) -> None:
    """What is written for the other channel is called for by the next look, while the failing one hangs."""
    failing.gate.clear()
    await bench.write(1, "webhook", "elsewhere")
    before = len(other.calls)
    await bench.notifier.tick()
    await asyncio.sleep(0)
    assert len(other.calls) == before + 1, "others wait for nothing"
    failing.gate.set()


@pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.AMBIGUOUS], ids=["answers 500", "hangs"])
async def test_an_outage_of_hours_costs_few_calls_and_no_message_and_nobody_else_waits(platform, verdict):
    policy = replace(POLICY, rate=Rate(60, 60.0))
    failing, other = Fake(policy=policy), Fake("webhook")
    failing.verdict = verdict
    async with notifying(platform, failing, other) as bench:
        await bench.write(10_000)
        await told_meanwhile(bench, failing, other)
        rounds, passed = 1, 0.0
        while passed < 3 * HOUR:
            await bench.work()
            seconds = await bench.until_probe()
            await bench.age(seconds, untried=False)
            rounds, passed = rounds + 1, passed + seconds
            await told_meanwhile(bench, failing, other)
        await bench.work()
        probes = rounds - 1
        assert probes == 16, "after 30 s, then twice as long each time, up to 15 min"
        assert FAILURES_IN_A_ROW <= len(failing.calls) - probes <= FAILURES_IN_A_ROW + POLICY.max_in_flight
        assert await bench.most_attempts() <= POLICY.max_attempts
        statuses = await bench.statuses()
        assert statuses.pop(("SENT", None)) == rounds
        assert (set(statuses), sum(statuses.values())) == ({("PENDING", None), ("RETRYING", None)}, 10_000)
        assert [(one.state, one.provider) for one in bench.changes] == [("OPEN", failing.name)]
        await assert_recovery_without_a_spike(bench, failing)


async def assert_recovery_without_a_spike(bench: Bench, failing: Fake) -> None:
    failing.verdict = Verdict.ACCEPTED
    await bench.age(await bench.until_probe(), untried=False)
    spent = len(failing.calls)
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
    for _ in range(3):
        before = len(failing.calls)
        for _ in range(6):
            await bench.work()
            await bench.age(10, untried=False)
        assert 30 <= len(failing.calls) - before <= 60, "nor more a minute"


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


async def test_one_who_is_refused_speaks_for_nobody_else_at_the_destination(platform):
    """Behind one host may be the receivers of many; behind one mail server are all recipients."""
    fake = Fake(policy=replace(POLICY, max_in_flight=1))
    fake.verdict_of["r1"] = Attempt(verdict=Verdict.TRANSIENT, error_type="refused", spares_destination=True)
    async with notifying(platform, fake) as bench:
        for _ in range(FAILURES_IN_A_ROW + 2):
            await bench.write(1)
        await bench.work()
        assert len(fake.calls) == FAILURES_IN_A_ROW + 2
        assert (bench.changes, await bench.circuit()) == ([], None)


async def test_whoever_is_not_sent_to_uses_up_no_probe(platform):
    """A circuit must not stay open for as many minutes as there are deliveries that end without a call."""
    fake = Fake()
    fake.verdict = Verdict.TRANSIENT
    allowed = AllowedRecipients(["r20"])
    async with notifying(platform, fake, allowed=EVERYBODY) as bench:
        await bench.write(FAILURES_IN_A_ROW)
        await bench.work()
        assert [one.state for one in bench.changes] == ["OPEN"]
    fake.verdict = Verdict.ACCEPTED
    async with notifying(platform, fake, allowed=allowed) as bench:
        await bench.write(20)
        await bench.age(FIRST_BREAK_SECONDS)
        await bench.work()
        assert [one.state for one in bench.changes] == ["CLOSED"]
        statuses = await bench.statuses()
        assert statuses["SENT", None] == 1
        assert statuses["SKIPPED", "recipient_not_allowed"] >= 19


async def test_no_more_at_a_time_go_to_one_destination_whoever_sends(platform):
    policy = replace(POLICY, max_in_flight=20, max_in_flight_each=4)
    fakes = [Fake(policy=policy) for _ in range(3)]
    for fake in fakes:
        fake.gate.clear()
    async with (
        notifying(platform, fakes[0]) as one,
        notifying(platform, fakes[1]) as two,
        notifying(platform, fakes[2]) as three,
    ):
        await one.write(30, destination="slow")
        await one.write(3, destination="other")
        for _ in range(5):
            await asyncio.gather(*(bench.notifier.tick() for bench in (one, two, three)))
        await asyncio.sleep(0)
        async with platform.database.snapshot() as connection:
            sending = text(
                "SELECT destination, count(*) FROM perdure.deliveries WHERE status = 'SENDING' GROUP BY destination"
            )
            assert dict((await connection.execute(sending)).all()) == {"slow": 4, "other": 3}
        assert sum(len(fake.calls) for fake in fakes) == 7
        for fake in fakes:
            fake.gate.set()
        for _ in range(30):
            await asyncio.gather(*(bench.work() for bench in (one, two, three)))
            if await one.statuses() == {("SENT", None): 33}:
                break
        assert await one.statuses() == {("SENT", None): 33}


async def test_what_is_cut_off_when_a_process_ends_is_on_record_and_waits_for_no_lease(platform):
    hanging, other = Fake(), Fake()
    hanging.gate.clear()
    async with notifying(platform, hanging) as bench:
        await bench.write(3)
        await bench.notifier.tick()
        await asyncio.sleep(0)
        assert len(hanging.calls) == 3
    async with notifying(platform, other) as bench:
        assert await bench.statuses() == {("RETRYING", None): 3}
        async with platform.database.snapshot() as connection:
            tries = text("SELECT DISTINCT verdict, error_type FROM perdure.delivery_attempts")
            assert (await connection.execute(tries)).all() == [("ambiguous", "interrupted")]
        assert await bench.circuit() is None, "it says nothing of the destination"
        await bench.age(40)
        await bench.work()
        assert await bench.statuses() == {("SENT", None): 3}


class Mute(Fake):
    """A provider that cannot even say what it lacks."""

    def missing_settings(self):
        raise RuntimeError("no")


async def test_a_provider_that_breaks_where_it_is_asked_stops_no_other(platform):
    mute, other = Mute(), Fake("webhook")
    async with notifying(platform, mute, other) as bench:
        await bench.write(1)
        await bench.write(1, "webhook", "elsewhere")
        await bench.work()
        assert await bench.statuses() == {("SENT", None): 2}
