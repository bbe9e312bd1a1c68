"""What commands send of what they were given: payloads are judged before anything is sent."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import typer

from perdure.cli.output import ExitCode


def naming_file(payload: Any, file: Path) -> dict[str, Any]:
    """The payload as an object that can name the file; both are judged before anything is sent."""
    check_readable(file)
    if not isinstance(payload, dict | None):
        raise wrong_usage("--payload must be a JSON object when --file is given: the file's id joins it.")
    return payload or {}


def check_readable(file: Path) -> None:
    """Leaves the command when there is no such file, before anything is sent."""
    if not file.is_file() or not os.access(file, os.R_OK):
        raise wrong_usage(f"there is no file {file} that can be read.")


def wrong_usage(message: str) -> typer.Exit:
    """Says what is wrong with the command, and returns how to leave it."""
    sys.stderr.write(f"Error: {message}\n")
    return typer.Exit(ExitCode.USAGE)


def read_payload(given: str | None, option: str = "--payload") -> Any:
    """What ``option`` gave, as JSON text, as ``@file`` or, with ``-``, on standard input."""
    if given is None:
        return None
    try:
        if given == "-":
            return json.load(sys.stdin)
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise wrong_usage(f"{option} must be JSON, @FILE or -; this cannot be read: {error}") from None


def given_ones(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [])}
