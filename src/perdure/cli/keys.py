"""``perdure keys``: API keys, made and revoked on the database itself, so that the first needs no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from perdure.cli.output import moment, print_json, print_line, print_table
from perdure.cli.run import DatabaseUrlOption, DataDir
from perdure.models.api_key import Scope

if TYPE_CHECKING:
    from perdure.core.api_keys import ApiKeys
    from perdure.models.api_key import ApiKey

app = typer.Typer(help="API keys. Once one was made, every request needs one.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Answer = TypeVar("Answer")


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="Whose key it is, as you will read it in the list.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may ask; may be given again. Left out: read and submit. admin is everything."),
    ] = None,
    expires_in_days: Annotated[float | None, typer.Option(min=0.01, max=36_500, help="Default: it lives on.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Makes a key and prints it: this once, for it is kept nowhere."""
    scopes = scope or [Scope.READ, Scope.SUBMIT]
    expires_in = None if expires_in_days is None else timedelta(days=expires_in_days)
    new, now = _on_keys(lambda keys: keys.create(name, scopes, expires_in), data_dir, database_url)
    if as_json:
        print_json({"key": new.token} | _facts(new.key, now))
        return
    print_line(new.token)
    typer.echo(
        f"Keep it now: it cannot be shown again. It may: {', '.join(sorted(new.key.scopes))}.\n"
        "Every request needs a key from now on; running servers notice within a second. Commands take "
        "PERDURE_API_KEY.",
        err=True,
    )


@app.command()
def generate() -> None:
    """Prints a new key that is known nowhere yet, for PERDURE_BOOTSTRAP_KEY."""
    from perdure.core.key_format import generate_key

    print_line(generate_key())


@app.command("list")
def list_(*, data_dir: DataDir = None, database_url: DatabaseUrlOption = None, as_json: AsJson = False) -> None:
    """Lists every key ever made, oldest first."""
    keys, now = _on_keys(lambda keys: keys.list(), data_dir, database_url)
    found = [_facts(key, now) for key in keys]
    if as_json:
        print_json({"items": found, "next_cursor": None})
        return
    if not found:
        print_line("No keys: the server listens on this machine alone. Make one: perdure keys create NAME")
        return
    print_table(
        ["key", "name", "state", "scopes", "created", "last used", "expires"],
        [
            [
                one["key_id"],
                one["name"],
                one["state"],
                ", ".join(one["scopes"]),
                moment(one["created_at"]),
                moment(one["last_used_at"]),
                moment(one["expires_at"]),
            ]
            for one in found
        ],
        dispensable=["created", "expires", "last used"],
    )


@app.command()
def revoke(
    *,
    key_id: Annotated[str, typer.Argument(help="The key's id: the part between the underscores.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Ends a key for good. Running servers notice within a second."""
    key = _facts(*_on_keys(lambda keys: keys.revoke(key_id), data_dir, database_url))
    if as_json:
        print_json(key)
    else:
        print_line(f"{key['key_id']}  {key['name']}  ", "revoked", f" at {moment(key['revoked_at'])}")


def _on_keys(
    verb: Callable[[ApiKeys], Awaitable[Answer]], data_dir: Path | None, database_url: str | None
) -> tuple[Answer, datetime]:
    """What the verb answers, and the database's time."""
    from perdure.bootstrap import opened_database
    from perdure.core.api_keys import ApiKeys
    from perdure.settings import Settings

    async def run() -> tuple[Answer, datetime]:
        async with opened_database(Settings.read(data_dir=data_dir, database_url=database_url)) as database:
            return await verb(ApiKeys(database)), database.clock.now()

    return asyncio.run(run())


def _facts(key: ApiKey, now: datetime) -> dict[str, Any]:
    """What may be known of a key, as JSON."""
    from perdure.schemas.api_key import ApiKeyAnswer

    return ApiKeyAnswer.model_validate(key).model_dump(mode="json") | {"state": key.state(now)}
