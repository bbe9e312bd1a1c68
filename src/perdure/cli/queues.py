"""``perdure queues``: stop a queue from giving jobs, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import moment, print_line
from perdure.cli.server import AsJson, Url, show

if TYPE_CHECKING:
    from perdure.client.answers import QueuePause

app = typer.Typer(help="Pause queues and resume them.", no_args_is_help=True)

QueueName = Annotated[str, typer.Argument(help="The queue's name.")]


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
    if queue["paused_at"] is None:
        print_line(f"{queue['name']}  ", "active")
        return
    why = "" if queue["pause_reason"] is None else f": {queue['pause_reason']}"
    print_line(f"{queue['name']}  ", "paused", f" by {queue['paused_by']} at {moment(queue['paused_at'])}{why}")
