"""``python -m benchmarks.peers_check``: every command of every peer's script on a few jobs, each counted.

``--mode full`` has all peers; ``--systems`` chooses by name. Ends with 1 where one is wrong; says which cannot be had.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.counters import Counters
from benchmarks.figures import percentile
from benchmarks.installed import installed_systems
from benchmarks.scripted import System
from benchmarks.works import drain, pinged

JOBS, BATCH, PINGS, PAUSE_MS = 500, 100, 20, 25


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers_check", description=__doc__)
    parser.add_argument("--mode", choices=("default", "full"), default="default")
    parser.add_argument("--systems", help="systems, comma separated, by name")
    asked = parser.parse_args()
    wanted = None if asked.systems is None else set(asked.systems.split(","))
    wrong = 0
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="perdure-peers-")))
        installed = opened.enter_context(installed_systems(directory, Counters(directory / "counters"), asked.mode))
        for name, reason in installed.skipped.items():
            sys.stdout.write(f"{name:<24} skipped: {reason}\n")
        for system in installed.systems:
            if system in (installed.perdure, installed.limit) or (wanted is not None and system.name not in wanted):
                continue
            try:
                told = _checked(system)
            except (RuntimeError, TimeoutError, OSError) as error:
                told, wrong = f"WRONG: {error}", wrong + 1
            sys.stdout.write(f"{system.name:<24} {told}\n")
            sys.stdout.flush()
    sys.exit(min(wrong, 1))


def _checked(system: System) -> str:
    """What was seen, in a line. Raises where a job is missing, done twice or still on the system's books."""
    system.call("prepare")
    system.call("fill", JOBS, BATCH)
    system.call("fill", BATCH, 1)
    if (left := system.call("left")["left"]) != JOBS + BATCH:
        raise RuntimeError(f"{left} jobs are left of {JOBS + BATCH} before any work")
    drain(system, JOBS + BATCH)
    [latencies] = pinged(system, [(PINGS, PAUSE_MS)])
    if len(latencies) != PINGS:
        raise RuntimeError(f"{len(latencies)} of {PINGS} latencies were noted")
    return f"{JOBS + BATCH} jobs done, each once; a lone one begins after {percentile(latencies, 0.5):.1f} ms (median)"


if __name__ == "__main__":
    main()
