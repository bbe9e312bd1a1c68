"""The report of a run: figures as JSON, a table, a plot, and the part of docs/performance.md that shows them."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, Summary, summarize
from benchmarks.plot import bars

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "performance.svg"
PLOTTED = ("drain", "bulk submit", "submit one by one", "start, idle, p50")
_SHOWN = re.compile(r"(<!-- figures: begin -->\n).*(<!-- figures: end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was measured, and how. ``outcomes`` says of each system where the outcome of a job is durable."""

    figures: Sequence[Figure]
    outcomes: Mapping[str, str]
    skipped: Mapping[str, str]
    mode: str
    seconds: float
    is_complete: bool


def write_report(run: Run) -> None:
    """Writes everything; the page only of a complete run, so that it never shows a part."""
    summaries = summarize(run.figures)
    about = {
        "mode": run.mode,
        "seconds": round(run.seconds),
        "machine": _machine(),
        "at": datetime.now(UTC).date().isoformat(),
    }
    found = {"about": about, "skipped": dict(run.skipped), "figures": [asdict(one) for one in summaries]}
    table = "\n".join(_lines(summaries, run, about))
    picture = bars([one for one in summaries if one.work in PLOTTED], PLOTTED)
    name = run.mode if run.is_complete else f"{run.mode}-part"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(table)
    (RESULTS / f"{name}.svg").write_text(picture)
    if run.is_complete and run.mode == "default":
        PICTURE.write_text(picture)
        PAGE.write_text(_SHOWN.sub(lambda page: f"{page[1]}{table}\n{page[2]}", PAGE.read_text()))


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def _lines(summaries: Sequence[Summary], run: Run, about: Mapping[str, object]) -> Iterator[str]:
    yield f"Measured {about['at']} in mode {about['mode']} ({about['seconds']} s) on {about['machine']}."
    yield ""
    by_work = {one.work: [other for other in summaries if other.work == one.work] for one in summaries}
    for work, of_work in by_work.items():
        if len(of_work) > 1:
            yield from _comparison(work, of_work, run.outcomes)
    yield "**Perdure alone**"
    yield ""
    yield "| work | median | min to max | unit |"
    yield "|---|---:|---:|---|"
    for work, of_work in by_work.items():
        if len(of_work) == 1:
            yield f"| {work} | {_values(of_work[0])} | {of_work[0].unit} |"
    yield ""
    yield from (f"Left out: {name} ({reason})." for name, reason in run.skipped.items())


def _comparison(work: str, of_work: Sequence[Summary], outcomes: Mapping[str, str]) -> Iterator[str]:
    ours = next((one.median for one in of_work if _is_ours(one)), None)
    yield f"**{work}**, {of_work[0].unit}"
    yield ""
    yield "| system | median | min to max | outcome durable | Perdure is |"
    yield "|---|---:|---:|---|---|"
    for one in sorted(of_work, key=lambda one: -one.median if one.unit == "1/s" else one.median):
        name = f"**{one.system}**" if _is_ours(one) else one.system
        yield f"| {name} | {_values(one)} | {outcomes.get(one.system, '')} | {_ratio(one, ours)} |"
    yield ""


def _is_ours(one: Summary) -> bool:
    return one.system.startswith("perdure")


def _values(one: Summary) -> str:
    return f"{_number(one.median)} | {_number(one.smallest)} to {_number(one.largest)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(one: Summary, ours: float | None) -> str:
    """How much better we do: more a second, or less time."""
    if not ours or _is_ours(one) or not one.median:
        return ""
    return f"{ours / one.median if one.unit == '1/s' else one.median / ours:.2f} times as good"
