"""The page of commands, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from documentation.markdown import code, page, prose, table
from perdure.cli import app
from perdure.cli.output import EXIT_CODES

_INTRODUCTION = """
Commands that ask a server find it by `--url` or `PERDURE_URL`, and send `PERDURE_API_KEY`. `--json` prints what the
API answers, for programs; `--help` explains each command. `python -m perdure` is the same as `perdure`.
"""


def render() -> str:
    codes = table(["code", "meaning"], [[str(code.value), meaning] for code, meaning in EXIT_CODES.items()])
    commands = list(_commands(typer.main.get_command(app), "perdure"))
    return page("Commands", _INTRODUCTION, *commands, "## Exit codes", codes)


def _commands(command: Any, path: str) -> Iterator[str]:
    """Every command below ``command``, in its order. (Typer's own classes are not exported, hence ``Any``.)"""
    for name, below in getattr(command, "commands", {}).items():
        if getattr(below, "commands", None):
            yield from _commands(below, f"{path} {name}")
        else:
            yield _command(below, f"{path} {name}")


def _command(command: Any, path: str) -> str:
    if not command.help:
        raise LookupError(f"`{path}` has no description")
    context = command.context_class(command, info_name=path)
    rows = []
    for parameter in command.params:
        names, meaning = parameter.get_help_record(context)
        if not parameter.help:
            raise LookupError(f"`{path}`: {names} has no description")
        rows.append([code(names), meaning])
    return "\n\n".join([f"## {path}", prose(command.help), *([table(["option", "meaning"], rows)] if rows else [])])
