"""``perdure db``: the schema of a database given by URL. (The embedded one upgrades itself.)"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from perdure.cli.output import print_json
from perdure.cli.run import DatabaseUrlOption, DataDir

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``upgrade`` a subcommand while it is the only one."""


@app.command()
def upgrade(
    *,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the applied revisions as JSON.")] = False,
) -> None:
    """Brings the database's schema to this version of Perdure. Safe to run again, and from several machines at once."""
    from perdure.bootstrap import upgrade_database
    from perdure.settings import Settings

    applied = asyncio.run(upgrade_database(Settings.read(data_dir=data_dir, database_url=database_url)))
    if as_json:
        print_json({"applied": applied})
    else:
        typer.echo(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
