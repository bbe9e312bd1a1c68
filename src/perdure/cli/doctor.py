"""``perdure doctor``: looks at the set-up and says what to mend. It needs no server."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import ExitCode, print_json, print_line
from perdure.cli.run import DatabaseUrlOption, DataDir
from perdure.errors import ConfigurationError
from perdure.models.finding import Finding, Level

if TYPE_CHECKING:
    from perdure.core.doctor.examination import Named

_SIGNS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    *,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Checks the set-up from here, without a server, and says what to mend. Exit code 1 if something fails."""
    findings = _examine(data_dir, database_url)
    counted = Counter(finding.level for _, finding in findings)
    if as_json:
        worst = next(level for level in reversed(Level) if counted[level])
        print_json(
            {
                "level": worst,
                "items": [
                    {"check": name, "level": one.level, "found": one.found, "advice": one.advice or None}
                    for name, one in findings
                ],
            }
        )
    else:
        _show(findings)
        print_line(f"\n{counted[Level.OK]} ok, {counted[Level.WARN]} to look at, {counted[Level.FAIL]} to mend.")
    if counted[Level.FAIL]:
        raise typer.Exit(ExitCode.ERROR)


def _examine(data_dir: Path | None, database_url: str | None) -> list[Named]:
    from perdure import bootstrap
    from perdure.core.doctor.examination import SETTINGS
    from perdure.settings import Settings

    try:
        settings = Settings.read(data_dir=data_dir, database_url=database_url)
    except ConfigurationError as error:
        return [(SETTINGS, Finding(Level.FAIL, error.detail))]
    return asyncio.run(bootstrap.examine(settings))


def _show(findings: list[Named]) -> None:
    width = max(len(name) for name, _ in findings)
    for name, finding in findings:
        print_line("", _SIGNS[finding.level], f" {name:<{width}}  {finding.found}")
        if finding.advice:
            print_line(f"  {'':<{width}}  → {finding.advice}")
