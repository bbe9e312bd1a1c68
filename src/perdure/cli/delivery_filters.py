"""The options by which commands say which deliveries they mean, and what the API is asked for with them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Recipient = Annotated[str | None, typer.Option("--recipient", help="Only to exactly this address, URL, …")]
Channel = Annotated[str | None, typer.Option("--channel", help="Only by this channel.")]
Provider = Annotated[str | None, typer.Option("--provider", help="Only by this provider.")]
Event = Annotated[str | None, typer.Option("--event", help="Only of this event, e.g. FAILURE.")]
Job = Annotated[str | None, typer.Option("--job", help="Only those of this job.")]


def delivery_filters_of(
    *, status: list[str] | None, event: str | None, job: str | None, **others: Any
) -> dict[str, Any]:
    """The API's filters; states and events may be given in small letters."""
    states = [one.upper() for one in status or ()]
    return {"status": states, "event": None if event is None else event.upper(), "job_id": job, **others}
