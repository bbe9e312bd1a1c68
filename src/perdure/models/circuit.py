"""A circuit: one destination of a provider, whether it may be called just now, and what the last failures were.

It is kept in the database, so that all processes that send learn from each other's failures. Where all goes well there
is none. It opens when calls fail in a row, or most of them for a while: then nothing is sent there but a probe now and
then, and whoever waits loses no try by it. It pauses when the other side refuses us, and not our messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from perdure.models.delivery import MAX_RETRY_AFTER_SECONDS, Attempt, Verdict

FAILURES_IN_A_ROW = 10
"""So many open a circuit, whatever their time."""
WINDOW_SECONDS = 300.0
WINDOW_CALLS = 10
WINDOW_SHARE = 0.7
"""This share of failures, among so many calls or more since the first failure of the window, opens it as well."""
FIRST_BREAK_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 60.0
LONGEST_BREAK_SECONDS = 900.0
"""How long nothing is sent before the first probe, and, doubled by each probe that fails, at most."""
EXCUSED_SECONDS = 72 * 3600.0
"""So much of a pause at most does not count against the age of those who wait."""
PAUSES_JOIN_SECONDS = 3600.0
"""A pause that begins so soon after the last one goes on with it: to mend a set-up may take several turns."""


class CircuitState(StrEnum):
    """Whether a destination of a provider may be called."""

    CLOSED = "CLOSED"
    """Current flows: messages are sent."""
    OPEN = "OPEN"
    """It fails: nothing is sent but a probe now and then, which closes the circuit if it goes well."""
    PAUSED = "PAUSED"
    """It refuses us (key, sender, inbox): somebody must mend the set-up. Probes tell when it is done."""


_FAILURES = frozenset({Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED})


def speaks_against(attempt: Attempt) -> bool:
    """Whether it is held against the destination. To refuse one message, or one recipient, is an answer like any."""
    return attempt.verdict in _FAILURES and not attempt.spares_destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a destination. ``was_probe``: it was made to find out whether the circuit may close;
    ``was_troubled``: the circuit counted its calls by then.
    """

    provider: str
    destination: str
    was_probe: bool
    was_troubled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """As it stands. ``since``: when it came to its state; ``failures``: in a row, up to now.

    While ``blocked_until`` lies ahead nobody is claimed for it; afterwards one delivery at a time is, as a probe,
    unless it is closed. ``breaks``: how often it opened, or a probe failed, since it was last closed. The window counts
    calls from its first failure on. ``next_free_at`` belongs to the rate: when the next call would be on time.
    ``paused_at`` and ``resumed_at`` (None: not yet) are of the last pause.
    """

    provider: str
    destination: str
    state: CircuitState = CircuitState.CLOSED
    since: datetime
    blocked_until: datetime | None = None
    failures: int = 0
    breaks: int = 0
    window_started_at: datetime | None = None
    window_calls: int = 0
    window_failures: int = 0
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    next_free_at: datetime | None = None
    failed_at: datetime | None = None
    status_code: int | None = None
    error_type: str | None = None
    message: str | None = None

    def conclude(self, attempt: Attempt, now: datetime, *, was_probe: bool) -> Circuit:
        """What one call makes of it. ``was_probe``: it was made to find out; others may have begun before it opened."""
        match attempt.verdict:
            case Verdict.ACCEPTED | Verdict.DELIVERED | Verdict.PERMANENT | Verdict.GONE:
                return self._answered(now)
            case Verdict.TRANSIENT | Verdict.AMBIGUOUS if attempt.spares_destination:
                return self._answered(now)
            case Verdict.TRANSIENT | Verdict.AMBIGUOUS:
                return _failed(self._noted(attempt, now), attempt, now, was_probe=was_probe)
            case Verdict.MISCONFIGURED:
                return _refused(self._noted(attempt, now), now, was_probe=was_probe)
            case _:  # pragma: no cover
                assert_never(attempt.verdict)

    def close(self, now: datetime) -> Circuit:
        """Messages are sent again. What was counted against it is forgotten, its last error is not."""
        return replace(
            self,
            state=CircuitState.CLOSED,
            since=now if self.state is not CircuitState.CLOSED else self.since,
            blocked_until=None,
            failures=0,
            breaks=0,
            window_started_at=None,
            window_calls=0,
            window_failures=0,
            resumed_at=now if self.state is CircuitState.PAUSED else self.resumed_at,
        )

    def unprobed(self) -> Circuit:
        """The delivery that was to be its probe ended without a call: the next one may be it, at once."""
        return self if self.state is CircuitState.CLOSED else replace(self, blocked_until=None)

    def _answered(self, now: datetime) -> Circuit:
        if self.state is not CircuitState.CLOSED or _begins_window(self, now):
            return self.close(now)
        return replace(self, failures=0, window_calls=self.window_calls + 1)

    def _noted(self, attempt: Attempt, now: datetime) -> Circuit:
        return replace(
            self,
            failed_at=now,
            status_code=attempt.status_code,
            error_type=attempt.error_type,
            message=attempt.message,
        )


def _failed(circuit: Circuit, attempt: Attempt, now: datetime, *, was_probe: bool) -> Circuit:
    begins = _begins_window(circuit, now)
    asked = min(attempt.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    counted = replace(
        circuit,
        failures=circuit.failures + 1,
        window_started_at=now if begins else circuit.window_started_at,
        window_calls=1 if begins else circuit.window_calls + 1,
        window_failures=1 if begins else circuit.window_failures + 1,
    )
    if circuit.state is not CircuitState.CLOSED:
        return _blocked(counted, now, asked) if was_probe else counted
    if _fails_too_often(counted):
        return _blocked(replace(counted, state=CircuitState.OPEN, since=now), now, asked)
    if attempt.retry_after_seconds is None:
        return counted
    until = now + timedelta(seconds=asked)
    return replace(counted, blocked_until=max(until, circuit.blocked_until or until))


def _refused(circuit: Circuit, now: datetime, *, was_probe: bool) -> Circuit:
    if circuit.state is CircuitState.PAUSED:
        return _blocked(circuit, now) if was_probe else circuit
    joins = circuit.resumed_at is not None and (now - circuit.resumed_at).total_seconds() < PAUSES_JOIN_SECONDS
    paused_at = circuit.paused_at if joins else now
    paused = replace(circuit, state=CircuitState.PAUSED, since=now, breaks=0, paused_at=paused_at, resumed_at=None)
    return _blocked(paused, now)


def _blocked(circuit: Circuit, now: datetime, asked_seconds: float = 0.0) -> Circuit:
    """Until the next probe, and no sooner than the other side asks for. (What began before it opened, and ends later,
    says nothing new: only probes count.)
    """
    first = FIRST_PAUSE_SECONDS if circuit.state is CircuitState.PAUSED else FIRST_BREAK_SECONDS
    seconds = max(min(first * 2 ** min(circuit.breaks, 30), LONGEST_BREAK_SECONDS), asked_seconds)
    return replace(circuit, breaks=circuit.breaks + 1, blocked_until=now + timedelta(seconds=seconds))


def _fails_too_often(circuit: Circuit) -> bool:
    often = circuit.window_calls >= WINDOW_CALLS and circuit.window_failures >= WINDOW_SHARE * circuit.window_calls
    return often or circuit.failures >= FAILURES_IN_A_ROW


def _begins_window(circuit: Circuit, now: datetime) -> bool:
    """Whether what was counted before is no longer of interest."""
    started = circuit.window_started_at
    return started is None or (now - started).total_seconds() > WINDOW_SECONDS
