"""What a run says: a table of each phase, a file with its figures, and the part of docs/reliability.md with them."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from chaos.outcome import Outcome, Verdict
from chaos.processes import ROOT

RESULTS = ROOT / "chaos" / "results"
PAGE = ROOT / "docs" / "reliability.md"
_SHOWN = re.compile(r"(<!-- figures: begin -->\n).*(<!-- figures: end -->)", re.DOTALL)
_COLOURS = {Verdict.PASSED: "green", Verdict.VACUOUS: "yellow", Verdict.FAILED: "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All phases of a run. ``is_complete``: every phase, as long as it is by default."""

    outcomes: Sequence[Outcome]
    seed: str
    seconds: float
    is_complete: bool


def show(outcome: Outcome, console: Console) -> None:
    """One phase, on the terminal."""
    colour = _COLOURS[outcome.verdict]
    title = f"{outcome.phase}: [bold {colour}]{outcome.verdict}[/]"
    table = Table(title=title, title_justify="left", show_header=False)
    for name, found in outcome.figures.items():
        table.add_row(name, f"[{'red' if found else 'green'}]{len(found)}[/]", "must be 0")
    table.add_section()
    for proof in outcome.proofs:
        colour = "green" if proof.holds() else "yellow"
        table.add_row(proof.what, f"[{colour}]{proof.count}[/]", f"at least {proof.at_least}")
    console.print(table)
    for name, value in outcome.facts.items():
        console.print(f"  {name}: {value}", highlight=False)
    for name, found in outcome.figures.items():
        for one in found[:5]:
            console.print(f"  [red]{name}[/]: {one}", highlight=False)


def write(run: Run) -> None:
    """The results, and the page if the run is complete and passed: it never shows a part."""
    about = {
        "seed": run.seed,
        "seconds": round(run.seconds),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        "at": datetime.now(UTC).date().isoformat(),
    }
    found = {"about": about, "phases": [outcome.as_json() for outcome in run.outcomes]}
    publishes = run.is_complete and all(outcome.verdict is Verdict.PASSED for outcome in run.outcomes)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{'default' if publishes else 'last'}.json").write_text(json.dumps(found, indent=1) + "\n")
    if publishes:
        lines = [f"Run on {about['at']} ({about['seconds']} s, seed {about['seed']}) on {about['machine']}.", ""]
        lines += [line for outcome in run.outcomes for line in _lines(outcome)]
        text = "\n".join(lines)
        PAGE.write_text(_SHOWN.sub(lambda page: f"{page[1]}{text}\n{page[2]}", PAGE.read_text()))


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"**{outcome.phase}**: {outcome.verdict}. " + ", ".join(
        f"{name} {len(found)}" for name, found in outcome.figures.items()
    )
    yield ""
    yield "| it happened | times | at least |"
    yield "|---|---:|---:|"
    yield from (f"| {one.what} | {one.count:,} | {one.at_least:,} |" for one in outcome.proofs)
    yield ""
    yield from (f"{_told(name, value)}  " for name, value in outcome.facts.items())
    yield ""


def _told(name: str, value: object) -> str:
    shown = ", ".join(f"{key} {count}" for key, count in value.items()) if isinstance(value, dict) else value
    return f"{name}: {shown}"
