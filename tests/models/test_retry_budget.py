"""What failures cost in calls: the circuit and the schedule together, beside a budget of 20 % retries.

The budget of others (retries are at most a fifth of what is sent) counts retries alone, so an outage costs it each
first try. Here time passes by itself, and chance is drawn from a fixed seed. docs/decisions/0016-circuits.md tells the
figures.
"""

import heapq
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from perdure.models.circuit import Circuit, CircuitState
from perdure.models.delivery import Attempt, Delivery, DeliveryStatus, Verdict
from perdure.models.delivery_policy import DeliveryPolicy

NOW = datetime(2030, 1, 1, tzinfo=UTC)
POLICY = DeliveryPolicy(delays_seconds=(30, 120, 600, 1800, 7200), max_age_seconds=21_600, deadline_seconds=15)
BUDGET = 1.2
"""Calls for each delivery that a budget of 20 % lets through."""
OK, FAILS = Attempt(verdict=Verdict.ACCEPTED), Attempt(verdict=Verdict.TRANSIENT, error_type="server_error")


@dataclass
class Spent:
    calls: int = 0
    told: int = 0


def a_delivery(number: int, created_at: datetime) -> Delivery:
    return Delivery(
        delivery_id=UUID(int=number),
        job_id=UUID(int=number),
        run=1,
        event="SUCCESS",
        channel="email",
        provider="mailtrap",
        recipient="ada@example.com",
        status=DeliveryStatus.PENDING,
        snapshot={},
        created_at=created_at,
        next_attempt_at=created_at,
    )


def simulated(count: int, every_seconds: float, failing: float, hours: float = 48.0) -> Spent:
    """Deliveries that come one after the other to a provider of which this share of calls fails; one call at a time."""
    chance, spent = random.Random(7), Spent()
    circuit = Circuit(provider="mailtrap", destination="mailtrap", since=NOW)
    arrivals = [NOW + timedelta(seconds=number * every_seconds) for number in range(count)]
    waiting = [(due, number, a_delivery(number, due)) for number, due in enumerate(arrivals)]
    heapq.heapify(waiting)
    now = NOW
    while waiting and now < NOW + timedelta(hours=hours):
        due, number, delivery = heapq.heappop(waiting)
        now = max(now, due, circuit.blocked_until or due)
        claimed = replace(delivery, status=DeliveryStatus.SENDING, attempts=delivery.attempts + 1)
        reason = claimed.overdue(now, POLICY)
        if reason is not None:
            continue
        attempt = FAILS if chance.random() < failing else OK
        was_probe = circuit.state is not CircuitState.CLOSED
        circuit = circuit.conclude(attempt, now, was_probe=was_probe)
        spent.calls += 1
        after = claimed.conclude(attempt, now, POLICY)
        spent.told += after.status is DeliveryStatus.SENT
        if after.next_attempt_at is not None:
            heapq.heappush(waiting, (after.next_attempt_at, number, after))
    return spent


def test_an_outage_costs_the_circuit_some_tens_of_calls_and_a_budget_each_first_try():
    spent = simulated(count=10_000, every_seconds=1, failing=1.0, hours=3)
    assert spent.calls <= 26
    assert spent.calls < 10_000 * 1.0, "what a budget of any size spends on first tries alone"


@pytest.mark.parametrize("failing", [0.7, 0.8, 0.9])
def test_where_most_fails_the_circuit_spends_less_than_a_budget(failing):
    spent = simulated(count=3_000, every_seconds=1, failing=failing, hours=1)
    assert spent.calls < 3_000 * BUDGET


@pytest.mark.parametrize(("failing", "told"), [(0.1, 1.0), (0.3, 0.99), (0.5, 0.98), (0.6, 0.9)])
def test_where_less_fails_more_calls_are_made_so_that_people_are_told(failing, told):
    """As many as failures make: 1 / (1 - their share). A budget would stop at 1.2, and leave the others untold."""
    count = 2_000
    spent = simulated(count, every_seconds=2, failing=failing)
    assert spent.calls <= count / (1 - failing) * 1.05
    assert spent.told >= told * count >= min((1 - failing) * BUDGET, 1.0) * count
