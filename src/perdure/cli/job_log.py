"""``perdure jobs log``: what a job's processor said, up to now or as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import exit_code_of, print_json, print_json_line, print_line
from perdure.cli.server import AsJson, JobId, Url, connect
from perdure.cli.timeline import print_log

if TYPE_CHECKING:
    from perdure.client.answers import LogLine
    from perdure.client.client import Client

FOLLOW_SECONDS = 1.0
"""How long it waits for the job's end before it looks for further lines."""


def log(
    *,
    job_id: JobId,
    after: Annotated[int, typer.Option(min=0, help="Only lines with a greater number.")] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job is final; the exit code tells how it ended.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Shows what a job's processor said with ctx.log (--follow --json: a document a line)."""
    with connect(url) as client:
        if follow:
            _follow(client, job_id, after, as_json=as_json)
        lines = list(lines_after(client, job_id, after))
    if as_json:
        print_json({"items": lines, "next_cursor": None})
    elif lines:
        print_log(lines)
    else:
        print_line("No lines: its processor said nothing, or not yet.")


def lines_after(client: Client, job_id: str, after: int) -> Iterator[LogLine]:
    """All lines there are by now, page by page."""
    from perdure.client import calls

    while True:
        page = client.call(calls.job_log(job_id, after))
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        after = int(page["next_cursor"])


def _follow(client: Client, job_id: str, after: int, *, as_json: bool) -> None:
    from perdure.client import calls

    pause = 0.0  # what is known already is shown at once
    while True:
        job = client.call(calls.wait_for_job(job_id, pause))
        for line in lines_after(client, job_id, after):
            after = line["line"]
            if as_json:
                print_json_line(line)
            else:
                print_log([line])
        if job["finished_at"] is not None:
            raise typer.Exit(exit_code_of(job))
        pause = FOLLOW_SECONDS
