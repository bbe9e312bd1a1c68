from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.models.circuit import (
    FAILURES_IN_A_ROW,
    LONGEST_BREAK_SECONDS,
    WINDOW_SECONDS,
    Circuit,
    CircuitState,
)
from perdure.models.delivery import Attempt, Verdict

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WELL = [Verdict.ACCEPTED, Verdict.DELIVERED, Verdict.PERMANENT, Verdict.GONE]
ILL = [Verdict.TRANSIENT, Verdict.AMBIGUOUS]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def untroubled() -> Circuit:
    return Circuit(provider="mailtrap", destination="mailtrap", since=NOW)


def after(circuit: Circuit, *verdicts: Verdict, seconds: float = 1.0, was_probe: bool = False) -> Circuit:
    for verdict in verdicts:
        circuit = circuit.conclude(Attempt(verdict=verdict, error_type="x"), at(seconds), was_probe=was_probe)
    return circuit


def opened() -> Circuit:
    return after(untroubled(), *[Verdict.TRANSIENT] * FAILURES_IN_A_ROW)


@pytest.mark.parametrize("verdict", ILL)
def test_failures_in_a_row_open_it_and_one_answer_breaks_the_row(verdict):
    almost = after(untroubled(), *[verdict] * (FAILURES_IN_A_ROW - 1))
    assert (almost.state, almost.error_type) == (CircuitState.CLOSED, "x")
    assert after(almost, verdict).state is CircuitState.OPEN
    assert after(almost, verdict).blocked_until == at(31)


def test_most_calls_of_a_while_failing_open_it_too():
    seven_of_ten = [Verdict.TRANSIENT, Verdict.TRANSIENT, Verdict.ACCEPTED, Verdict.TRANSIENT] * 3
    circuits = [after(untroubled(), *seven_of_ten[:count]) for count in range(1, 12)]
    assert [one.state for one in circuits].index(CircuitState.OPEN) == 9
    half = [Verdict.TRANSIENT, Verdict.ACCEPTED] * 30
    assert after(untroubled(), *half).state is CircuitState.CLOSED


def test_a_window_that_is_over_is_forgotten_with_the_next_answer():
    troubled = after(untroubled(), Verdict.TRANSIENT, Verdict.ACCEPTED)
    assert (troubled.window_calls, troubled.window_failures, troubled.failures) == (2, 1, 0)
    healed = after(troubled, Verdict.ACCEPTED, seconds=WINDOW_SECONDS + 2)
    assert healed.window_started_at is None
    assert healed.error_type == "x", "what it last failed of stays known"


@pytest.mark.parametrize("verdict", WELL)
def test_a_probe_that_is_answered_closes_it(verdict):
    closed = after(opened(), verdict, seconds=40, was_probe=True)
    assert (closed.state, closed.blocked_until, closed.failures, closed.since) == (
        CircuitState.CLOSED,
        None,
        0,
        at(40),
    )


def test_each_probe_that_fails_doubles_the_wait_and_late_failures_do_not():
    circuit, waits = opened(), []
    for _ in range(8):
        assert after(circuit, *[Verdict.TRANSIENT] * 9).blocked_until == circuit.blocked_until
        waits.append((circuit.blocked_until - at(1)).total_seconds())
        circuit = after(circuit, Verdict.TRANSIENT, was_probe=True)
    assert waits == [30, 60, 120, 240, 480, LONGEST_BREAK_SECONDS, LONGEST_BREAK_SECONDS, LONGEST_BREAK_SECONDS]


def test_an_outage_of_hours_costs_a_bounded_number_of_calls():
    circuit, now, calls = untroubled(), 0.0, 0
    while now < 3 * 3600:
        probing = circuit.state is not CircuitState.CLOSED
        circuit = after(circuit, Verdict.TRANSIENT, seconds=now, was_probe=probing)
        calls += 1
        if circuit.blocked_until is not None:
            now = (circuit.blocked_until - NOW).total_seconds()
    assert calls == FAILURES_IN_A_ROW + 15


def test_a_destination_that_fails_is_left_alone_for_as_long_as_it_asks():
    busy = Attempt(verdict=Verdict.TRANSIENT, status_code=503, retry_after_seconds=1_200)
    circuit = untroubled()
    for _ in range(FAILURES_IN_A_ROW):
        circuit = circuit.conclude(busy, NOW, was_probe=False)
    assert (circuit.state, circuit.blocked_until) == (CircuitState.OPEN, at(1_200))
    probed = circuit.conclude(busy, at(1_200), was_probe=True)
    assert probed.blocked_until == at(2_400)
    for_ever = replace(busy, retry_after_seconds=1e9)
    assert probed.conclude(for_ever, at(2_400), was_probe=True).blocked_until == at(2_400 + 3_600)


@pytest.mark.parametrize("verdict", ILL)
def test_what_fails_for_a_recipient_s_own_sake_speaks_for_the_destination_rather_than_against(verdict):
    of_one = Attempt(verdict=verdict, error_type="refused", spares_destination=True)
    circuit = untroubled()
    for _ in range(3 * FAILURES_IN_A_ROW):
        circuit = circuit.conclude(of_one, at(1), was_probe=False)
    assert (circuit.state, circuit.failures, circuit.failed_at) == (CircuitState.CLOSED, 0, None)
    assert opened().conclude(of_one, at(40), was_probe=True).state is CircuitState.CLOSED, "it is there, and answers"


def test_a_probe_that_was_not_made_leaves_its_turn_to_the_next():
    waiting = replace(opened(), blocked_until=at(500))
    assert waiting.unprobed() == replace(waiting, blocked_until=None)
    assert untroubled().unprobed() == untroubled()


def test_a_refusal_of_us_pauses_it_until_something_is_let_in():
    paused = after(untroubled(), Verdict.MISCONFIGURED, seconds=10)
    assert (paused.state, paused.paused_at, paused.blocked_until) == (CircuitState.PAUSED, at(10), at(70))
    still = after(paused, Verdict.MISCONFIGURED, seconds=70, was_probe=True)
    assert (still.state, still.paused_at, still.blocked_until) == (CircuitState.PAUSED, at(10), at(190))
    assert after(paused, Verdict.TRANSIENT, seconds=70, was_probe=True).state is CircuitState.PAUSED
    mended = after(still, Verdict.PERMANENT, seconds=190, was_probe=True)
    assert (mended.state, mended.paused_at, mended.resumed_at) == (CircuitState.CLOSED, at(10), at(190))
    assert after(mended, Verdict.MISCONFIGURED, seconds=200).paused_at == at(10), "it was not mended after all"
    assert after(mended, Verdict.MISCONFIGURED, seconds=9_000).paused_at == at(9_000)


def test_what_a_destination_asks_for_holds_for_all_that_go_there():
    def blocked(seconds: float) -> datetime | None:
        attempt = Attempt(verdict=Verdict.TRANSIENT, retry_after_seconds=seconds)
        return untroubled().conclude(attempt, NOW, was_probe=False).blocked_until

    assert blocked(120) == at(120)
    assert blocked(1e9) == at(3_600)


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.floats(0, 900), st.booleans()), max_size=60))
def test_it_is_consistent_whatever_comes(calls):
    circuit, now = untroubled(), 0.0
    for verdict, seconds, was_probe in calls:
        now += seconds
        circuit = after(circuit, verdict, seconds=now, was_probe=was_probe)
        is_paused = circuit.paused_at is not None and circuit.resumed_at is None
        assert (circuit.state is CircuitState.PAUSED) == is_paused
        if circuit.state is not CircuitState.CLOSED:
            assert circuit.blocked_until is not None
            assert (circuit.blocked_until - at(now)).total_seconds() <= LONGEST_BREAK_SECONDS
        if verdict in WELL:
            assert circuit.state is CircuitState.CLOSED
        assert circuit.window_failures <= circuit.window_calls
