"""``perdure db``: what an operator does to the database itself. (The embedded one upgrades itself.)"""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.output import print_json, print_line, print_table
from perdure.cli.run import DatabaseUrlOption, DataDir

app = typer.Typer(help="The database: its schema, its backup, its history.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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


@app.command()
def prune(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    jobs_days: Annotated[
        float | None, typer.Option(min=0, help="Keep finished jobs so long. [env: PERDURE_RETENTION_DAYS]")
    ] = None,
    audit_days: Annotated[
        float | None, typer.Option(min=0, help="Keep deliveries so long. [env: PERDURE_AUDIT_RETENTION_DAYS]")
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Removes finished jobs that are old, with all that belongs to them, while the platform runs. 0 days: for ever."""
    from perdure.bootstrap import prune_database
    from perdure.settings import Settings

    settings = Settings.read(
        data_dir=data_dir, database_url=database_url, retention_days=jobs_days, audit_retention_days=audit_days
    )
    rows = dict(asyncio.run(prune_database(settings, dry_run=dry_run)))
    if as_json:
        print_json({"dry_run": dry_run, "rows": rows})
        return
    if not rows:
        print_line("Nothing is old enough to go.")
        return
    print_table(
        ["table", "would go" if dry_run else "removed"], [[table, f"{rows[table]:,}"] for table in sorted(rows)]
    )


@app.command()
def dump(
    *,
    file: Annotated[Path, typer.Argument(help="Where the dump goes; only you may read it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Writes everything in the database to a file, while the platform runs. Uploaded files are not in it."""
    from perdure.bootstrap import dump_database
    from perdure.settings import Settings

    settings = Settings.read(data_dir=data_dir, database_url=database_url)
    asyncio.run(dump_database(settings, file, replace=force))
    if as_json:
        print_json({"file": str(file), "size_bytes": file.stat().st_size})
        return
    print_line(f"Dumped to {file} ({file.stat().st_size:,} bytes).")
    store = settings.data_dir.absolute() / "files"
    if store.exists():
        copy = shlex.join(["cp", "-a", str(store), str(file.parent)])
        print_line(f"The files of jobs are not in it. Copy them too: {copy}")


@app.command()
def restore(
    *,
    file: Annotated[Path, typer.Argument(help="A file that `perdure db dump` made.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the jobs and keys that are here; they are lost.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Replaces everything in the database by what a dump holds, or changes nothing. Stop servers and workers first."""
    from perdure.bootstrap import restore_database
    from perdure.settings import Settings

    settings = Settings.read(data_dir=data_dir, database_url=database_url)
    restored = asyncio.run(restore_database(settings, file, replace=force))
    if as_json:
        print_json({"jobs": restored.jobs, "applied": restored.applied})
        return
    print_line(
        f"Restored {restored.jobs:,} jobs." + (f" Applied {', '.join(restored.applied)}." if restored.applied else "")
    )
    print_line(f"The files of jobs belong into {settings.data_dir.absolute() / 'files'}: copy them there, then start.")
