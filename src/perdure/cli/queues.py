"""``perdure queues``: how they stand; stop one from giving jobs, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import moment, print_line, print_table
from perdure.cli.server import AsJson, Url, show

if TYPE_CHECKING:
    from perdure.client.operations_answers import Queue, QueuePause, Queues

app = typer.Typer(help="List queues, pause and resume them.", no_args_is_help=True)

QueueName = Annotated[str, typer.Argument(help="The queue's name.")]


@app.command("list")
def list_(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the queues: what waits and runs, who serves them, and who paused them, since when and why."""
    from perdure.client import calls

    show(calls.queues(), url, as_json=as_json, as_text=_print_queues)


@app.command()
def pause(
    *,
    name: QueueName,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever finds it paused.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Stops a queue: no job of it starts any more, what runs goes on."""
    from perdure.client import calls

    show(calls.pause_queue(name, reason), url, as_json=as_json, as_text=_print_pause)


@app.command()
def resume(*, name: QueueName, url: Url = None, as_json: AsJson = False) -> None:
    """Lets a queue give jobs again."""
    from perdure.client import calls

    show(calls.resume_queue(name), url, as_json=as_json, as_text=_print_pause)


def _print_pause(queue: QueuePause) -> None:
    state, _, how = _state(queue).partition(" ")
    print_line(f"{queue['name']}  ", state, f" {how}".rstrip())


def _print_queues(found: Queues) -> None:
    if not found["items"]:
        print_line("No queues: nothing waits or runs, no living worker names one, and none is paused.")
        return
    print_table(
        ["queue", "queued", "scheduled", "retrying", "running", "oldest waiting", "workers", "state"],
        [_cells(one, found["count_limit"]) for one in found["items"]],
        dispensable=["scheduled", "retrying"],
    )


def _cells(queue: Queue, limit: int) -> list[str]:
    numbers = (queue["queued"], queue["scheduled"], queue["retrying"], queue["running"])
    oldest = queue["oldest_waiting_seconds"]
    return [
        queue["name"],
        *(f"{number}+" if number >= limit else str(number) for number in numbers),
        "" if oldest is None else f"{oldest:,.0f} s",
        str(queue["workers"]),
        _state(queue),
    ]


def _state(queue: QueuePause) -> str:
    if queue["paused_at"] is None:
        return "active"
    why = "" if queue["pause_reason"] is None else f": {queue['pause_reason']}"
    return f"paused by {queue['paused_by']} at {moment(queue['paused_at'])}{why}"
