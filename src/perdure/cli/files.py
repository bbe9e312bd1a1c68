"""``perdure files``: upload, download and delete, over the HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import ExitCode, moment, print_json, print_line, print_table
from perdure.cli.payload import check_readable
from perdure.cli.server import AsJson, Url, connect

if TYPE_CHECKING:
    from perdure.client.answers import JobFile, Page

app = typer.Typer(help="Files that jobs read and save.", no_args_is_help=True)

FileId = Annotated[str, typer.Argument(help="The file's id.")]


@app.command()
def upload(
    *,
    file: Annotated[Path, typer.Argument(help="The file to upload.")],
    name: Annotated[str | None, typer.Option(help="What people call it; default: its own name.")] = None,
    content_type: Annotated[str | None, typer.Option(help="Its media type; default: as its name says.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Uploads a file and prints its id, for a job's payload to name."""
    check_readable(file)
    with connect(url) as client:
        stored = client.upload(file, name, content_type)
    if as_json:
        print_json(stored)
    else:
        print_line(stored["file_id"])


@app.command()
def download(
    *,
    file_id: FileId,
    target: Annotated[Path, typer.Argument(help="Where to write it; what is there is replaced.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Downloads a file."""
    with connect(url) as client:
        try:
            client.download(file_id, target)
        except OSError as error:
            typer.echo(f"Error: {target} cannot be written: {error.strerror}. Name another place.", err=True)
            raise typer.Exit(ExitCode.ERROR) from None
    if as_json:
        print_json({"file_id": file_id, "path": str(target), "size_bytes": target.stat().st_size})


@app.command()
def delete(*, file_id: FileId, url: Url = None, as_json: AsJson = False) -> None:
    """Deletes a file for good. Refused while a job that is not final names it."""
    from perdure.client import calls

    with connect(url) as client:
        client.call(calls.delete_file(file_id))
    if as_json:
        print_json({"file_id": file_id, "deleted": True})
    else:
        print_line(f"{file_id}  deleted")


def print_files(files: Page[JobFile]) -> None:
    """The files of a job."""
    if not files["items"]:
        print_line("No files: the payload names none, and no attempt saved any.")
        return
    print_table(
        ["file", "role", "name", "bytes", "type", "created"],
        [
            [
                one["file_id"],
                one["role"],
                one["name"],
                str(one["size_bytes"]),
                one["content_type"],
                moment(one["created_at"]),
            ]
            for one in files["items"]
        ],
        dispensable=["created", "type"],
    )
