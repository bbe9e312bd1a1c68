"""What the demo prints: a story that can be read from top to bottom, coloured on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.cli.output import harmless, on_terminal, print_line
from perdure.cli.timeline import print_timeline

if TYPE_CHECKING:
    from perdure.client.answers import Event, Job, StoredFile
    from perdure.client.delivery_answers import Delivery

INDENT = "    "
PAGE_WIDTH = 96
LONGEST_MAIL = 30
LONGEST_CELL = 24
LEFT_ALIGNED = ("column", "type")


def starting(home: Path) -> None:
    _heading("Starting the platform")
    print_line(f"{INDENT}PostgreSQL, API, worker, notifier and a local inbox, in {home}")


def uploaded(stored: StoredFile) -> None:
    _heading("The input")
    print_line(f"{INDENT}{stored['name']}, {stored['size_bytes']:,} bytes, stored as {stored['file_id']}")


def submitted(jobs: Sequence[Job], recipient: str) -> None:
    _heading(f"Two jobs, and {recipient} is to be told how they end")
    for job in jobs:
        print_line(f"{INDENT}{job['job_type']:<12} {job['job_id']}  ", job["status"])


def timeline(job: Job, entries: Sequence[Event]) -> None:
    _heading(f"What happened to {job['job_type']}")
    print_timeline(entries, INDENT)


def profile(result: dict[str, Any]) -> None:
    _heading(f"The result: {result['rows']:,} rows, {len(result['columns'])} columns")
    headers = ["column", "type", "nulls", "distinct", "min", "median", "max", "mean"]
    rows = [
        [
            _cell(column["name"]),
            column["type"],
            f"{column['nulls']:,}",
            f"~{column['distinct']:,}",
            _cell(column["min"]),
            _cell((column["quantiles"] or {}).get("0.5")),
            _cell(column["max"]),
            _cell(column["mean"]),
        ]
        for column in result["columns"]
    ]
    widths = [max(map(len, cells)) for cells in zip(headers, *rows, strict=True)]
    for row in [headers, *rows]:
        cells = [
            cell.ljust(width) if header in LEFT_ALIGNED else cell.rjust(width)
            for header, cell, width in zip(headers, row, widths, strict=True)
        ]
        print_line((INDENT + "  ".join(cells)).rstrip())


def deliveries(found: Sequence[Delivery]) -> None:
    _heading("Who was told")
    for one in found:
        tries = "1 try" if one["attempts"] == 1 else f"{one['attempts']} tries"
        why = f"  {one['reason']}" if one["reason"] else ""
        print_line(f"{INDENT}{one['event']:<8} {one['recipient']} by {one['provider']}, {tries}  ", one["status"], why)


def mail(sent: dict[str, Any]) -> None:
    """A mail as it arrived: its head and its text part."""
    sender = sent["from"]
    head = [
        f"From:    {sender.get('name', '')} <{sender['email']}>",
        f"To:      {', '.join(one['email'] for one in sent['to'])}",
        f"Subject: {sent['subject']}",
        "",
    ]
    lines = sent["text"].strip().splitlines()
    if len(lines) > LONGEST_MAIL:
        half = LONGEST_MAIL // 2
        lines = [*lines[:half], f"    [{len(lines) - LONGEST_MAIL} more lines]", *lines[-half:]]
    if on_terminal():
        _letter([*head, *lines])
        return
    print_line("")
    for line in [*head, *lines]:
        for part in textwrap.wrap(line, PAGE_WIDTH, drop_whitespace=False) or [""]:
            print_line(f"{INDENT}| {part}".rstrip())


def mails(count: int) -> None:
    _heading(f"The local inbox: {count} mails as they arrived (their text part; each has an HTML part too)")


def no_inbox() -> None:
    print_line(f"{INDENT}This server has no local inbox: the mails went where its MAILTRAP_ variables say.")


def ending(seconds: float, checks: Sequence[tuple[bool, str]]) -> None:
    """What had to happen, each with whether it did, and where to look next."""
    happened = all(holds for holds, _ in checks)
    _heading(f"All of it happened, in {seconds:.1f} s" if happened else "Not all of it happened as it should")
    for holds, what in checks:
        print_line(INDENT, "✓" if holds else "✗", f" {what}")
    print_line("")
    print_line(f"{INDENT}Keep a platform running    perdure dev    (API reference at its /docs)")
    print_line(f"{INDENT}Your own table             perdure demo FILE.csv")
    print_line(f"{INDENT}Mail to a real inbox       README.md, and docs/notifications/mailtrap.md")
    print_line(f"{INDENT}How a job lives            docs/life-of-a-job.md")


def _heading(text: str) -> None:
    print_line("")
    if not on_terminal():
        print_line(text)
        return
    from rich.console import Console
    from rich.text import Text

    Console(soft_wrap=True).print(Text(text, style="bold"))


def _letter(lines: Sequence[str]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.text import Text

    console = Console()
    sheet = Panel(
        Text(harmless("\n".join(lines))), border_style="dim", width=min(console.width, PAGE_WIDTH + 8) - len(INDENT)
    )
    console.print(Padding(sheet, (0, 0, 0, len(INDENT))))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
