"""The options by which commands say which jobs they mean, and what the API is asked for with them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Status = Annotated[list[str] | None, typer.Option("--status", help="Only these states; may be given again.")]
JobType = Annotated[str | None, typer.Option("--type", help="Only this job type.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Only this queue.")]
User = Annotated[str | None, typer.Option("--user", help="Only with this context.user_id.")]
Email = Annotated[str | None, typer.Option("--email", help="Only with this context.email.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Only with this tag.")]
ErrorGroup = Annotated[str | None, typer.Option("--error-group", help="Only ended with an error of this fingerprint.")]
Search = Annotated[
    str | None,
    typer.Option("--search", help="The id or its beginning, or words of the error that it ended with."),
]
CreatedAfter = Annotated[str | None, typer.Option("--created-after", help="Only newer ones, e.g. 2030-01-31T12:00Z.")]
CreatedBefore = Annotated[str | None, typer.Option("--created-before", help="Only older ones.")]


def filters_of(*, status: list[str] | None, user: str | None, search: str | None, **others: Any) -> dict[str, Any]:
    """The API's filters; states may be given in small letters."""
    return {"status": [one.upper() for one in status or ()], "user_id": user, "q": search, **others}
