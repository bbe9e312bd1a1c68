"""What every system is asked to do: take jobs in bulk and one by one, drain them, start one soon."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.counters import JUDGED_SHARE, steady_rate
from benchmarks.figures import Figure, percentile
from benchmarks.scripted import System
from benchmarks.sizes import Sizes

BULK = 1_000
DRAIN_TIMEOUT_SECONDS = 120
LEFT_TIMEOUT_SECONDS = 30
IDLE_PAUSE_MS = 25


@dataclass(slots=True)
class Rates:
    """What is known of each system's speed, so that each gets the number of jobs that fills the time."""

    known: dict[tuple[str, str], float] = field(default_factory=dict)

    def count(self, work: str, system: System, seconds: float) -> int:
        """So many jobs take about ``seconds``; at the first time, by what is expected of the system."""
        return max(int(self.known.get((work, system.name), system.expected_rate) * seconds), 100)


def bulk_and_drain(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    """Jobs in bulk, then two worker processes until none is left."""
    count = rates.count("drain", system, sizes.drain_seconds / JUDGED_SHARE)
    rate, submit_rate = _drained(system, count)
    rates.known["drain", system.name] = rate
    yield Figure("drain", system.name, rate, "1/s")
    yield Figure("bulk submit", system.name, submit_rate, "1/s")


def _drained(system: System, count: int) -> tuple[float, float]:
    """Jobs a second: worked off, and submitted."""
    system.call("prepare")
    filled = system.call("fill", count, BULK)
    return drain(system, count), count / filled["seconds"]


def drain(system: System, count: int, processes: int = 2) -> float:
    """Works ``count`` waiting jobs off and returns jobs a second. Raises unless each was done exactly once."""
    system.analyze()
    system.counters.reset()
    with system.working(processes) as workers:
        curve = system.counters.watch(count, DRAIN_TIMEOUT_SECONDS, lambda: system.trouble(workers))
        await_none_left(system)
    handled = system.counters.total()
    if handled != count:
        raise RuntimeError(f"{system.name} handled {handled:,} jobs where {count:,} were submitted")
    return steady_rate(curve, count)


def await_none_left(system: System) -> None:
    """Returns when the system's own books say that all is done."""
    deadline = time.monotonic() + LEFT_TIMEOUT_SECONDS
    while (left := system.call("left")["left"]) > 0:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{system.name} says that {left:,} jobs are left, though all were handled")


def submit_one_by_one(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    """One producer, each job acknowledged before the next."""
    system.call("prepare")
    count = rates.count("submit", system, sizes.submit_seconds)
    rate = count / system.call("fill", count, 1)["seconds"]
    rates.known["submit", system.name] = rate
    yield Figure("submit one by one", system.name, rate, "1/s")


def start_latency(system: System, sizes: Sizes, _rates: Rates) -> Iterator[Figure]:
    """From just before the submission to the first line of the handler, two worker processes waiting."""
    paces = ((sizes.pings, IDLE_PAUSE_MS), (sizes.pings * 2, 0))
    for work, latencies in zip(("start, idle", "start, under load"), pinged(system, paces), strict=True):
        yield Figure(f"{work}, p50", system.name, percentile(latencies, 0.5), "ms")
        yield Figure(f"{work}, p99", system.name, percentile(latencies, 0.99), "ms")


def pinged(system: System, paces: Sequence[tuple[int, int]]) -> list[list[float]]:
    """Milliseconds from submission to start, for each pace: so many jobs, one every so many milliseconds."""
    noted = system.directory / "latencies"
    noted.write_text("")
    system.call("prepare")
    system.analyze()
    system.counters.reset()
    taken: list[list[float]] = []
    with system.working(2, latencies=noted) as workers:
        for count, pause_ms in paces:
            system.call("ping", count, pause_ms)
            before = sum(map(len, taken))
            system.counters.watch(before + count, DRAIN_TIMEOUT_SECONDS, lambda: system.trouble(workers))
            taken.append([int(line) / 1e6 for line in noted.read_text().split()[before:]])
    return taken
