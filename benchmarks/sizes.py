"""How much is measured in each mode: ``quick`` under 3 minutes, ``default`` under 15, ``full`` for a night."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Seconds are of steady state; the others are numbers of jobs, requests, seconds or rounds."""

    rounds: int
    budget_seconds: float
    """No further round begins that would not end in time for the works of Perdure alone."""
    drain_seconds: float
    submit_seconds: float
    pings: int
    requests: int
    finished: int
    scheduled: int
    held_open: int
    looked_through: int
    remembered: tuple[int, int]
    idle_seconds: float
    processes: tuple[int, ...]


SIZES = {
    "quick": Sizes(
        rounds=1,
        budget_seconds=180,
        drain_seconds=1.5,
        submit_seconds=0.4,
        pings=30,
        requests=600,
        finished=200_000,
        scheduled=20_000,
        held_open=30_000,
        looked_through=100_000,
        remembered=(2_000, 20_000),
        idle_seconds=3,
        processes=(1, 2),
    ),
    "default": Sizes(
        rounds=3,
        budget_seconds=880,
        drain_seconds=4,
        submit_seconds=1,
        pings=100,
        requests=5_000,
        finished=2_000_000,
        scheduled=100_000,
        held_open=100_000,
        looked_through=1_000_000,
        remembered=(10_000, 100_000),
        idle_seconds=10,
        processes=(1, 2, 4, 8),
    ),
    "full": Sizes(
        rounds=7,
        budget_seconds=8 * 3_600,
        drain_seconds=10,
        submit_seconds=3,
        pings=1_000,
        requests=20_000,
        finished=10_000_000,
        scheduled=100_000,
        held_open=400_000,
        looked_through=5_000_000,
        remembered=(10_000, 1_000_000),
        idle_seconds=60,
        processes=(1, 2, 4, 8),
    ),
}
