"""The report of a run: figures as JSON, a table, a plot, and the part of docs/performance.md that shows them."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, Summary, summarize
from benchmarks.plot import bars

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
_SHOWN = re.compile(r"(<!-- figures: begin -->\n).*(<!-- figures: end -->)", re.DOTALL)
PLOTTED = ("drain", "bulk submit", "submit one by one", "start, idle, p50")


def write_report(
    figures: Sequence[Figure], skipped: dict[str, str], mode: str, seconds: float, *, complete: bool
) -> None:
    """Writes everything; the page only of a complete run, so that it never shows a part."""
    summaries = summarize(figures)
    RESULTS.mkdir(exist_ok=True)
    about = {"mode": mode, "seconds": round(seconds), "machine": _machine(), "at": datetime.now(UTC).date().isoformat()}
    table = _table(summaries, skipped, about)
    name = mode if complete else f"{mode}-part"
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"about": about, "skipped": skipped, "figures": [asdict(one) for one in summaries]}, indent=1) + "\n"
    )
    (RESULTS / f"{name}.md").write_text(table)
    (RESULTS / f"{name}.svg").write_text(bars([one for one in summaries if one.work in PLOTTED], PLOTTED))
    if complete and mode == "default" and PAGE.exists():
        PAGE.write_text(_SHOWN.sub(lambda found: f"{found[1]}{table}\n{found[2]}", PAGE.read_text()))


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def _table(summaries: Sequence[Summary], skipped: dict[str, str], about: dict[str, object]) -> str:
    lines = [f"Measured {about['at']} in mode {about['mode']} ({about['seconds']} s) on {about['machine']}.", ""]
    for work in dict.fromkeys(one.work for one in summaries):
        of_work = [one for one in summaries if one.work == work]
        ours = next((one.median for one in of_work if one.system.startswith("perdure")), None)
        lines += [
            f"**{work}**, {of_work[0].unit}",
            "",
            "| system | median | min to max | Perdure is |",
            "|---|---:|---:|---:|",
        ]
        lines += [_row(one, ours) for one in sorted(of_work, key=_best_first)]
        lines.append("")
    lines += [f"Left out: {name} ({reason})." for name, reason in skipped.items()]
    return "\n".join(lines)


def _best_first(one: Summary) -> float:
    return -one.median if one.unit == "1/s" else one.median


def _row(one: Summary, ours: float | None) -> str:
    ratio = _ratio(one, ours)
    name = f"**{one.system}**" if one.system.startswith("perdure") else one.system
    return f"| {name} | {_number(one.median)} | {_number(one.smallest)} to {_number(one.largest)} | {ratio} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(one: Summary, ours: float | None) -> str:
    """How much better we do: more a second, or less time."""
    if ours is None or one.system.startswith("perdure") or not one.median or not ours:
        return ""
    return f"{ours / one.median if one.unit == '1/s' else one.median / ours:.2f} times as good"
