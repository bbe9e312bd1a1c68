"""``python -m mutants``: breaks one promise after another in a copy of the sources, and asks the tests.

It fails when a mutant survives, or fails for a reason of its own; and when the tests see something in sources that
nobody touched.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from mutants.catalogue import ENGINE, LIFECYCLE, MUTANTS, SCHEDULING, SOURCES
from mutants.mutant import Mutant

ROOT = Path(__file__).parents[1]
AT_ONCE = 2
LONGEST_SECONDS = 180
ENVIRONMENT = {"CI": "1", "MUTANT": "1"}
"""The same walks at every run, and no search for the shortest way to what they find (tests/conftest.py)."""
EXAMPLES = "60"
"""How many walks it may take to find a mutant; the sources as they are get those of every test run."""
UNTOUCHED = "nothing is changed"


@dataclass(frozen=True)
class Verdict:
    """What became of one copy of the sources."""

    name: str
    is_right: bool
    what: str
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    wanted = parser.parse_args().only
    chosen: list[Mutant | None] = [None, *MUTANTS]
    chosen = [one for one in chosen if wanted in (UNTOUCHED if one is None else one.name)]
    with tempfile.TemporaryDirectory(prefix="perdure-mutants-") as directory, ThreadPoolExecutor(AT_ONCE) as threads:
        folders = [Path(directory, str(number)) for number in range(len(chosen))]
        verdicts = []
        for verdict in threads.map(_judge, chosen, folders):
            verdicts.append(verdict)
            mark = "ok  " if verdict.is_right else "FAIL"
            sys.stdout.write(f"{mark} {verdict.seconds:6.1f} s  {verdict.name:<52} {verdict.what}\n")
            sys.stdout.flush()
    wrong = sum(not verdict.is_right for verdict in verdicts)
    sys.stdout.write(f"{len(verdicts)} copies of the sources, {wrong} that the tests judged wrongly\n")
    return 1 if wrong or not verdicts else 0


def _judge(mutant: Mutant | None, folder: Path) -> Verdict:
    """None: the sources as they are, with which the tests must find no fault."""
    started = time.monotonic()
    copy = folder / "src" / "perdure"
    shutil.copytree(ROOT / SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    name, tests = (UNTOUCHED, (ENGINE, LIFECYCLE, SCHEDULING)) if mutant is None else (mutant.name, mutant.tests)
    if mutant is not None:
        file = copy / mutant.file
        file.write_text(mutant.applied(file.read_text()))
    examples = {} if mutant is None else {"MACHINE_EXAMPLES": EXAMPLES}
    try:
        failures = _failures_of(tests, folder, examples)
    except subprocess.TimeoutExpired:
        failures = [f"the tests did not end within {LONGEST_SECONDS} s"]
    is_right, what = _judgement(mutant, failures)
    return Verdict(name, is_right, what, time.monotonic() - started)


def _failures_of(tests: Sequence[str], folder: Path, examples: dict[str, str]) -> list[str]:
    """The messages of what failed, or could not be run at all."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "--quiet", "--exitfirst", "-p", "no:cacheprovider", "-p", "no:randomly"]
    command += [f"--junit-xml={report}", f"--basetemp={folder / 'tests'}", *tests]
    environment = os.environ | ENVIRONMENT | examples | {"PYTHONPATH": str(folder / "src")}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    if not report.exists():
        return [f"pytest itself failed: {ended.stderr.strip()[-300:]}"]
    messages = [
        f"{'' if found.tag == 'failure' else 'error: '}{found.get('message', '')}"
        for found in ET.parse(report).iter()  # noqa: S314 (pytest wrote it just now)
        if found.tag in {"failure", "error"}
    ]
    return messages or ([] if ended.returncode == 0 else [f"pytest ended with {ended.returncode}"])


def _judgement(mutant: Mutant | None, failures: Sequence[str]) -> tuple[bool, str]:
    first = " ".join(failures[0].partition("Failing test case")[0].split())[:100] if failures else ""
    if mutant is None:
        return not failures, first or "nothing found"
    if not failures:
        return False, "SURVIVED: no test noticed"
    is_caught = failures[0].startswith(mutant.evidence)
    return is_caught, first if is_caught else f"failed for another reason: {first}"


if __name__ == "__main__":
    sys.exit(main())
