"""How commands reach the server: the options they share, and the client made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perdure.client.client import Client

Url = Annotated[str | None, typer.Option("--url", help="Where the server is. [env: PERDURE_URL]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exactly what the API answers.")]
JobId = Annotated[str, typer.Argument(help="The job's id.")]


def connect(url: str | None) -> Client:
    from perdure.client.client import Client

    return Client(url)
