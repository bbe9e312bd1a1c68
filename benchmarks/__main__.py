"""``python -m benchmarks``: every system asked the same, in turns, over and over, so that noise falls on all alike."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import http_load, own_works, pages, works
from benchmarks.counters import Counters
from benchmarks.figures import Figure
from benchmarks.installed import Installed, installed_systems
from benchmarks.report import Run, write_report
from benchmarks.scripted import System
from benchmarks.sizes import SIZES, Sizes
from benchmarks.works import Rates

FOR_ALL = (works.bulk_and_drain, works.submit_one_by_one, works.start_latency)
FOR_PERDURE = (
    own_works.beside_finished,
    own_works.while_told,
    own_works.horizon_pinned,
    own_works.idle,
    own_works.memory,
    own_works.more_processes,
    own_works.millisecond_handlers,
    pages.pages,
)
QUICK_FOR_PERDURE = (own_works.while_told,)
SHARE_OF_ROUNDS = 0.65
"""Of the time; the rest is for the works of Perdure alone."""
NOT_FOR_THE_LIMIT = (works.submit_one_by_one, works.start_latency)


def main() -> None:
    asked = _arguments()
    sizes = SIZES[asked.mode]
    started = time.monotonic()
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="perdure-bench-")))
        installed = opened.enter_context(installed_systems(directory, Counters(directory / "counters"), asked.mode))
        for name, reason in installed.skipped.items():
            _tell(f"skipped {name}: {reason}")
        figures = list(_measured(installed, sizes, asked, started))
    seconds = time.monotonic() - started
    _tell(f"done in {seconds:.0f} s")
    complete = asked.only is None and asked.systems is None
    outcomes = {one.name: one.outcome for one in installed.systems}
    write_report(
        Run(
            figures=figures,
            outcomes=outcomes,
            skipped=installed.skipped,
            mode=asked.mode,
            seconds=seconds,
            is_complete=complete,
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--mode", choices=SIZES, default="default")
    parser.add_argument("--only", help="works whose function's name contains this")
    parser.add_argument("--systems", help="systems, comma separated, by name")
    return parser.parse_args()


def _measured(installed: Installed, sizes: Sizes, asked: argparse.Namespace, started: float) -> Iterator[Figure]:
    rates = Rates()
    wanted = None if asked.systems is None else set(asked.systems.split(","))
    systems = [one for one in installed.systems if wanted is None or one.name in wanted]
    broken: set[tuple[str, str]] = set()
    round_seconds = 0.0
    for number in range(sizes.rounds):
        begun = time.monotonic()
        if begun - started + round_seconds > sizes.budget_seconds * SHARE_OF_ROUNDS:
            _tell(f"no time for round {number + 1}")
            break
        for work in FOR_ALL:
            if asked.only is None or asked.only in work.__name__:
                yield from _in_turns(work, systems, number, (sizes, rates, broken))
        if asked.only is None or asked.only in "submit_over_http":
            yield from _told(number, http_load.submit_over_http(installed.perdure, installed.limit, sizes))
        if asked.only is None or asked.only in "bulk_over_http":
            yield from _told(number, http_load.bulk_over_http(installed.perdure, sizes, rates))
        round_seconds = time.monotonic() - begun
    for work in FOR_PERDURE if asked.mode != "quick" else QUICK_FOR_PERDURE:
        if asked.only is None or asked.only in work.__name__:
            yield from _in_turns(work, [installed.perdure], 0, (sizes, rates, broken))


Work = Callable[[System, Sizes, Rates], Iterator[Figure]]


def _in_turns(
    work: Work, systems: list[System], number: int, given: tuple[Sizes, Rates, set[tuple[str, str]]]
) -> Iterator[Figure]:
    """The work on each system, beginning with another one each round. A system that breaks is left out of it."""
    sizes, rates, broken = given
    turned = systems[number % len(systems) :] + systems[: number % len(systems)]
    for system in turned:
        if (work.__name__, system.name) in broken or (system.script == "limit" and work in NOT_FOR_THE_LIMIT):
            continue
        try:
            yield from _told(number, work(system, sizes, rates))
        except (RuntimeError, TimeoutError, OSError) as error:
            broken.add((work.__name__, system.name))
            _tell(f"{work.__name__} broke on {system.name}: {error}")
            if system.script == "perdure":
                raise


def _told(number: int, figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        _tell(f"round {number + 1}  {figure.work:<52} {figure.system:<34} {figure.value:>12,.2f} {figure.unit}")
        yield figure


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
