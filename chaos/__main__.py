"""``python -m chaos``: phases one after the other, each judged by the oracle. The exit code is 0 only if all passed."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from chaos import herd, kills, mixed, mutant, report
from chaos.outcome import Outcome, Verdict

MINUTES = 2.0
KILLS = 200
Phase = Callable[[Path], Awaitable[Outcome]]


def main() -> None:
    asked = _arguments()
    seed = asked.seed or secrets.token_hex(4)
    console = Console(stderr=True, width=110)
    console.print(f"chaos with --seed {seed}", highlight=False)
    directory = Path(tempfile.mkdtemp(prefix="perdure-chaos-"))
    started = time.monotonic()
    outcomes = []
    for name, phase in _phases(asked, seed).items():
        outcome = asyncio.run(_carried_out(phase, directory / name))
        report.show(outcome, console)
        outcomes.append(outcome)
    is_default = asked.minutes >= MINUTES and asked.kills >= KILLS
    is_complete = is_default and asked.only is None and asked.mutant is None
    seconds = time.monotonic() - started
    report.write(report.Run(outcomes=outcomes, seed=seed, seconds=seconds, is_complete=is_complete))
    if any(outcome.verdict is not Verdict.PASSED for outcome in outcomes):
        console.print(f"What the processes said is kept in {directory}.", highlight=False)
        sys.exit(1)
    shutil.rmtree(directory)


async def _carried_out(phase: Phase, directory: Path) -> Outcome:
    return await phase(directory)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the mixed phase (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=KILLS, help="of workers under load (default: %(default)s)")
    parser.add_argument("--seed", help="repeats the decisions of a run; by default a new one")
    parser.add_argument("--only", choices=PHASES, help="this phase alone")
    parser.add_argument("--mutant", choices=mutant.MUTANTS, help="only the platform with this fault; it must fail")
    return parser.parse_args()


PHASES = ("mutant", "mixed", "kills", "herd")


def _phases(asked: argparse.Namespace, seed: str) -> dict[str, Phase]:
    if asked.mutant is not None:
        return {asked.mutant: lambda directory: mutant.run(directory, seed, asked.mutant)}
    phases: dict[str, Phase] = {
        "mutant": lambda directory: mutant.caught(directory, seed),
        "mixed": lambda directory: mixed.run(directory, seed, asked.minutes),
        "kills": lambda directory: kills.run(directory, seed, asked.kills),
        "herd": lambda directory: herd.run(directory, seed),
    }
    return {name: phase for name, phase in phases.items() if asked.only in (None, name)}


if __name__ == "__main__":
    main()
