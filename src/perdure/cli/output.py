"""What commands print, and the codes they leave with. Rich on a terminal, plain lines in a pipe, JSON when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from perdure.errors import PerdureError

if TYPE_CHECKING:
    from perdure.client.answers import Job


class ExitCode(IntEnum):
    """What a script can tell from the end of a command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    JOB_FAILED = 3
    JOB_CANCELLED = 4
    TIME_IS_UP = 5
    NOT_FOUND = 6
    UNREACHABLE = 7


EXIT_CODES = {
    ExitCode.OK: "done",
    ExitCode.ERROR: "refused or failed",
    ExitCode.USAGE: "wrong usage",
    ExitCode.JOB_FAILED: "the job failed",
    ExitCode.JOB_CANCELLED: "the job was cancelled",
    ExitCode.TIME_IS_UP: "time is up, the job goes on",
    ExitCode.NOT_FOUND: "no such thing",
    ExitCode.UNREACHABLE: "no server answers",
}

COLUMN_GAP = 3
_MOMENTS = ("_at", "_since", "_until")
"""How the names of the API's moments end."""
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "�")
_BY_STATUS = {"SUCCEEDED": ExitCode.OK, "FAILED": ExitCode.JOB_FAILED, "CANCELLED": ExitCode.JOB_CANCELLED}
COLOURS = {
    "SUCCEEDED": "green",
    "SENT": "green",
    "DELIVERED": "green",
    "SUCCESS": "green",
    "FAILED": "red",
    "FAILURE": "red",
    "BOUNCED": "red",
    "CANCELLED": "dim",
    "SKIPPED": "dim",
    "SUPPRESSED": "dim",
    "RETRYING": "yellow",
    "RETRY": "yellow",
    "RUNNING": "cyan",
    "STARTED": "cyan",
    "✓": "green",
    "!": "yellow",
    "✗": "red",
}


CLEAR_LINE = "\r\x1b[K"
"""What a line begins with, on a terminal, that takes the place of the one before."""


def exit_code_of(job: Job) -> ExitCode:
    """The code that tells how a job stands; a job that is not final has run out of the caller's time."""
    return _BY_STATUS.get(job["status"], ExitCode.TIME_IS_UP)


def report(error: PerdureError, *, as_json: bool) -> ExitCode:
    """Says what went wrong, on standard error (as a problem document on standard output when JSON was asked for)."""
    from perdure.client.errors import PerdureAPIError, ServerUnreachable

    refused = error if isinstance(error, PerdureAPIError) else None
    if as_json:
        print_json(refused.problem if refused is not None else {"code": error.code, "detail": error.detail})
    else:
        sys.stderr.write(f"Error: {error.detail}\n")
    if isinstance(error, ServerUnreachable):
        return ExitCode.UNREACHABLE
    return ExitCode.NOT_FOUND if refused is not None and refused.status == 404 else ExitCode.ERROR


def print_json(value: Any) -> None:
    """One JSON document, indented for people, complete for programs."""
    readable = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=not readable) + "\n")


def print_json_line(value: Any) -> None:
    """One of many JSON documents, on a line of its own."""
    sys.stdout.write(json.dumps(value) + "\n")


def prepare_streams() -> None:
    """Lines go out as they come, to a pipe too; a character that the terminal lacks is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="replace")


def on_terminal() -> bool:
    return sys.stdout.isatty()


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, dispensable: Sequence[str] = ()) -> None:
    """A table: drawn on a terminal, tab-separated lines in a pipe.

    A terminal that is too narrow is spared the ``dispensable`` columns, the first of them first; a pipe never is.
    """
    if not on_terminal():
        for row in [headers, *rows]:
            sys.stdout.write("\t".join(row) + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    kept = _fitting(headers, rows, dispensable, console.width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in kept:
        table.add_column(headers[column], overflow="fold")
    for row in rows:
        table.add_row(*(Text(harmless(row[column]), style=COLOURS.get(row[column], "")) for column in kept))
    console.print(table)


def _fitting(
    headers: Sequence[str], rows: Sequence[Sequence[str]], dispensable: Sequence[str], width: int
) -> list[int]:
    """The numbers of the columns that are shown."""
    widths = [max(len(cell) for cell in column) + COLUMN_GAP for column in zip(headers, *rows, strict=True)]
    kept = list(range(len(headers)))
    for name in dispensable:
        if sum(widths[column] for column in kept) <= width:
            break
        kept.remove(headers.index(name))
    return kept


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print_line(f"{name:<{width}}  ", value)


def print_answer(answer: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
    """What the API answers of one thing, a name and a value a line; what is null or empty is left out."""
    given = {name: value for name, value in answer.items() if name not in without and value not in (None, [])}
    print_facts([(name, moment(value) if name.endswith(_MOMENTS) else shown(value)) for name, value in given.items()])


def print_more(next_cursor: str | None) -> None:
    """How to see the next page of a list, if there is one."""
    if next_cursor is not None:
        print_line(f"More: --cursor {next_cursor}")


def print_line(plain: str, coloured: str = "", rest: str = "") -> None:
    """A line; ``coloured`` is shown in its state's colour on a terminal."""
    if not on_terminal():
        sys.stdout.write(f"{plain}{coloured}{rest}\n")
        return
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble(harmless(plain), (harmless(coloured), COLOURS.get(coloured, "")), harmless(rest))
    Console(soft_wrap=True).print(line)


def harmless(text: str) -> str:
    """Without the control characters by which a job's message could steer the terminal."""
    return text.translate(_CONTROLS)


def answered(status_code: int | None, error_type: str | None, message: str | None) -> str:
    """What the other side came to: the codes that there are, then the words."""
    codes = " ".join(str(code) for code in (status_code, error_type) if code is not None)
    return ": ".join(part for part in (codes, message) if part)


def shown(value: Any) -> str:
    """A value in a cell: nothing for null, JSON for what is structured."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moment(value: str | None) -> str:
    """A timestamp of the API, to the second."""
    return "" if value is None else value[:19].replace("T", " ")
