"""``perdure jobs tail``: what happens to jobs, a line each, as it happens."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import print_json_line, print_line
from perdure.cli.server import Url, connect

if TYPE_CHECKING:
    from perdure.client.answers import StreamEvent


def tail(
    *,
    job_id: Annotated[str | None, typer.Argument(help="Only this job.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only this job type.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    event: Annotated[list[str] | None, typer.Option(help="Only these, e.g. FAILURE; may be given again.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Leave after so many.")] = None,
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each as a line of JSON.")] = False,
) -> None:
    """Shows what happens to jobs from now on, until interrupted."""
    filters = {"job_id": job_id, "job_type": job_type, "queue": queue, "tag": tag}
    with connect(url) as client:
        happening = client.stream(on_reset=_say_missed, event=[one.upper() for one in event or ()], **filters)
        for one in islice(happening, count):
            if as_json:
                print_json_line(one)
            else:
                _print(one)


def _print(one: StreamEvent) -> None:
    about = f"attempt {one['attempt']}" if one["attempt"] else ""
    print_line(f"{one['at'][11:23]}  {one['job_id']}  {one['job_type']:<16}  {about:<10}  ", one["event"], _detail(one))


def _detail(one: StreamEvent) -> str:
    data = one["data"]
    if one["event"] == "DELIVERY":
        return f"  {data['channel']} {data['status']}" + (f" ({data['reason']})" if data["reason"] else "")
    if one["event"] == "PROGRESS":
        return f"  {data.get('percent') or 0:.0f} %  {data.get('message') or ''}".rstrip()
    error = data.get("error")
    return "" if error is None else f"  {error['type']}: {error['message'].partition(chr(10))[0]}"


def _say_missed() -> None:
    sys.stderr.write("Something was missed here.\n")
