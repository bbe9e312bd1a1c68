"""How commands reach the server and show what it answers: the options they share, and the client made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from perdure.cli.output import print_json

if TYPE_CHECKING:
    from perdure.client.calls import Call
    from perdure.client.client import Client

Url = Annotated[str | None, typer.Option("--url", help="Where the server is. [env: PERDURE_URL]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly what the API answers.")]
Answer = TypeVar("Answer")
TimeLimit = Annotated[float | None, typer.Option("--timeout", min=0, help="Give up waiting after so many seconds.")]
PageLimit = Annotated[int, typer.Option("--limit", min=1, max=200, help="How many.")]
PageCursor = Annotated[str | None, typer.Option("--cursor", help="next_cursor of the page before.")]
JobId = Annotated[str, typer.Argument(help="The job's id.")]


def connect(url: str | None) -> Client:
    from perdure.client.client import Client

    return Client(url)


def show(call: Call[Answer], url: str | None, *, as_json: bool, as_text: Callable[[Answer], None]) -> None:
    """Makes the call and prints the answer: all of it as JSON for programs, or as ``as_text`` puts it to a person."""
    with connect(url) as client:
        answer = client.call(call)
    if as_json:
        print_json(answer)
    else:
        as_text(answer)
