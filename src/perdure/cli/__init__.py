"""The command ``perdure``. Each group of commands is a module; what they need is imported when they run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from perdure.cli import (
    actions,
    database,
    deliveries,
    demo,
    doctor,
    endpoints,
    files,
    jobs,
    keys,
    operations,
    providers,
    queues,
    run,
    schedules,
    subscriptions,
    suppressions,
)
from perdure.cli.output import EXIT_CODES, prepare_streams, report
from perdure.errors import PerdureError

EPILOG = "Exit codes: " + ", ".join(f"{code.value} {meaning}" for code, meaning in EXIT_CODES.items()) + "."

app = typer.Typer(
    name="perdure",
    help="Resilient Async Job Processing Platform: jobs that survive crashes, and people who are told how they ended.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,  # a pipe gets no boxes, and does not pay for them
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (run, demo, operations, doctor):
    module.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(actions.app, name="actions")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(suppressions.app, name="suppressions")
app.add_typer(providers.app, name="providers")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(files.app, name="files")
app.add_typer(keys.app, name="keys")
app.add_typer(database.app, name="db")


def _show_version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if wanted:
        import perdure

        typer.echo(perdure.__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Runs before every command."""


def main() -> None:
    """Runs the command line. A mistake of the user is one clear line, never a traceback.

    (Typer sees to the rest: exit code 130 for an interrupt, no complaint when whoever reads our output has gone.)
    """
    prepare_streams()
    try:
        app()
    except PerdureError as error:
        sys.exit(report(error, as_json="--json" in sys.argv))
