"""``perdure providers``: how notification providers stand; let one be called again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import answered, moment, print_line, print_table
from perdure.cli.server import AsJson, Url, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.provider_answers import Circuit, Provider

app = typer.Typer(help="List notification providers, let one be called again.", no_args_is_help=True)


@app.command("list")
def list_(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the providers: what waits for them, and where calls fail or are refused, and why."""
    from perdure.client import calls

    show(calls.providers(), url, as_json=as_json, as_text=_print_providers)


@app.command()
def resume(
    *,
    name: Annotated[str, typer.Argument(help="The provider's name.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lets a provider be called again at once, once its set-up is mended."""
    from perdure.client import calls

    show(calls.resume_provider(name), url, as_json=as_json, as_text=_print_provider)


def _print_providers(found: Page[Provider]) -> None:
    print_table(
        ["provider", "channel", "state", "waiting", "oldest"],
        [
            [
                one["name"],
                one["channel"],
                one["state"],
                str(one["waiting"]),
                "" if one["oldest_seconds"] is None else f"{one['oldest_seconds']:,.0f} s",
            ]
            for one in found["items"]
        ],
        dispensable=["channel"],
    )
    for provider in found["items"]:
        for circuit in provider["circuits"]:
            print_line(f"{provider['name']}, {_circuit(circuit)}")


def _print_provider(provider: Provider) -> None:
    print_line(f"{provider['name']}  ", provider["state"], f"  {provider['waiting']} waiting")


def _circuit(circuit: Circuit) -> str:
    does = "asks to be left alone until" if circuit["state"] == "CLOSED" else "next probed at"
    until = "" if circuit["blocked_until"] is None else f", {does} {moment(circuit['blocked_until'])}"
    error = answered(circuit["status_code"], circuit["error_type"], circuit["message"])
    return (
        f"{circuit['destination']}: {circuit['state']} since {moment(circuit['since'])}{until}; "
        f"last failed at {moment(circuit['failed_at'])}: {error}"
    )
