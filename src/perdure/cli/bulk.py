"""``perdure jobs submit --from``: a job a line, from a file or standard input, whatever their number."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from perdure.cli.output import CLEAR_LINE, ExitCode, harmless, print_json_line
from perdure.cli.payload import check_readable
from perdure.cli.server import connect

PROGRESS_EVERY = 1_000


def submit_from(source: str, url: str | None, *, as_json: bool) -> None:
    """Submits the jobs and leaves with an error if any was refused.

    As JSON it prints the API's answers, a line a job, otherwise only what was refused, and how many there were.
    """
    submitted = refused = 0
    with _opened(source) as lines, connect(url) as client:
        for answer in client.submit_many(lines):
            problem = answer.get("problem")
            submitted += problem is None
            refused += problem is not None
            if as_json:
                print_json_line(answer)
            elif problem is not None:
                sys.stderr.write(f"{_CLEAR}Job {answer['index']}: {harmless(str(problem['detail']))}\n")
            if (submitted + refused) % PROGRESS_EVERY == 0:
                _show_progress(submitted, refused)
    if not as_json:
        sys.stderr.write(_CLEAR)
        sys.stdout.write(f"{_count(submitted, refused)}\n")
    if refused:
        raise typer.Exit(ExitCode.ERROR)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    check_readable(Path(source))
    with Path(source).open("rb") as file:
        yield file


_CLEAR = CLEAR_LINE if sys.stderr.isatty() else ""


def _show_progress(submitted: int, refused: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{_CLEAR}{_count(submitted, refused)} …")


def _count(submitted: int, refused: int) -> str:
    return f"{submitted:,} submitted" + (f", {refused:,} refused" if refused else "")
