"""A provider as it stands: what waits for it, and which of its destinations fail, or refuse us."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perdure.models.circuit import Circuit, CircuitState

_WORST_FIRST = (CircuitState.PAUSED, CircuitState.OPEN)
MAX_WAITING = 10_000
"""Counting stops here: so many wait, or more."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a channel. ``oldest_seconds`` is the age of the one that is longest due (None: nothing waits)."""

    waiting: int = 0
    oldest_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """``state`` is the worst among its circuits; these are only told of where something failed, the latest first."""

    name: str
    channel: str
    state: CircuitState
    waiting: int
    oldest_seconds: float | None
    circuits: Sequence[Circuit]


def providers_of(
    channels: Mapping[str, str], circuits: Iterable[Circuit], backlogs: Mapping[str, Backlog]
) -> list[Provider]:
    """The providers by the channel that each serves, in that order; ``backlogs`` are by channel."""
    known = list(circuits)
    return [
        _provider(name, channel, [one for one in known if one.provider == name], backlogs.get(channel, Backlog()))
        for channel, name in channels.items()
    ]


def _provider(name: str, channel: str, circuits: list[Circuit], backlog: Backlog) -> Provider:
    states = {one.state for one in circuits}
    return Provider(
        name=name,
        channel=channel,
        state=next((state for state in _WORST_FIRST if state in states), CircuitState.CLOSED),
        waiting=backlog.waiting,
        oldest_seconds=backlog.oldest_seconds,
        circuits=circuits,
    )
