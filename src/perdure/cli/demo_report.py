"""What the demo prints: a story that can be read from top to bottom, coloured on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure.cli.jobs import print_timeline
from perdure.cli.output import print_line, print_table

INDENT = "    "
MAIL_WIDTH = 96
LONGEST_MAIL = 30


def starting(home: Path) -> None:
    _heading("Starting the platform")
    print_line(f"{INDENT}PostgreSQL, API, worker, notifier and a local inbox, in {home}")


def uploaded(stored: dict[str, Any]) -> None:
    _heading("The input")
    print_line(f"{INDENT}{stored['name']}, {stored['size_bytes']:,} bytes, stored as {stored['file_id']}")


def submitted(job: dict[str, Any]) -> None:
    print_line(f"{INDENT}{job['job_type']:<12} {job['job_id']}  ", job["status"])


def timeline(job: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    _heading(f"What happened to {job['job_type']}")
    print_timeline(entries)


def profile(result: dict[str, Any]) -> None:
    _heading(f"The result: {result['rows']:,} rows, {len(result['columns'])} columns")
    print_table(
        ["column", "type", "nulls", "distinct", "min", "median", "max", "mean"],
        [
            [
                column["name"],
                column["type"],
                str(column["nulls"]),
                f"~{column['distinct']}",
                _cell(column["min"]),
                _cell((column["quantiles"] or {}).get("0.5")),
                _cell(column["max"]),
                _cell(column["mean"]),
            ]
            for column in result["columns"]
        ],
    )


def deliveries(found: Sequence[dict[str, Any]]) -> None:
    _heading("Who was told")
    for one in found:
        about = f"{one['event']:<8} by {one['provider']} to {one['recipient']}, {one['attempts']} try  "
        print_line(f"{INDENT}{about}", one["status"])


def mail(sent: dict[str, Any]) -> None:
    """A mail as it arrived: its head and its text part."""
    _heading(f"Mail: {sent['subject']}")
    sender = sent["from"]
    print_line(f"{INDENT}| From: {sender.get('name', '')} <{sender['email']}>")
    print_line(f"{INDENT}| To:   {', '.join(one['email'] for one in sent['to'])}")
    print_line(f"{INDENT}|")
    lines = sent["text"].strip().splitlines()
    if len(lines) > LONGEST_MAIL:
        cut = len(lines) - LONGEST_MAIL
        half = LONGEST_MAIL // 2
        lines = [*lines[:half], f"    [{cut} more lines of the result]", *lines[-half:]]
    for line in lines:
        for part in textwrap.wrap(line, MAIL_WIDTH, drop_whitespace=False) or [""]:
            print_line(f"{INDENT}| {part}".rstrip())


def no_inbox() -> None:
    print_line(f"{INDENT}This server has no local inbox: the mails went where its MAILTRAP_ variables say.")


def ending(seconds: float, failed: Sequence[str]) -> None:
    if failed:
        _heading("This did not happen as it should")
        for what in failed:
            print_line(f"{INDENT}- {what}")
        return
    _heading(f"All of it happened, in {seconds:.1f} s")
    print_line(f"{INDENT}Keep a platform running:    perdure dev")
    print_line(f"{INDENT}Your own table:             perdure demo FILE.csv")
    print_line(f"{INDENT}Mails to a real inbox:      docs/notifications/mailtrap.md")
    print_line(f"{INDENT}How a job lives:            docs/life-of-a-job.md")


def _heading(text: str) -> None:
    print_line("")
    print_line(text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:40]
