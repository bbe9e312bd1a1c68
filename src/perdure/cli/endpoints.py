"""``perdure endpoints``: named places that webhooks call, over the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import ExitCode, answered, moment, print_answer, print_json, print_line, print_table
from perdure.cli.server import AsJson, Url, connect, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.endpoint_answers import Endpoint, EndpointTest, EndpointWithSecret, Recovery

app = typer.Typer(help="Named places that webhooks call.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The endpoint's name, as jobs name it.")]


@app.command()
def add(
    *,
    name: Name,
    address: Annotated[str, typer.Argument(metavar="URL", help="Where it is: https://…")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Adds an endpoint and shows its secret, this once; or gives the one of this name another URL."""
    from perdure.client import operator_calls

    show(operator_calls.set_endpoint(name, address), url, as_json=as_json, as_text=_print_with_secret)


@app.command("list")
def list_(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the endpoints, in order of name."""
    from perdure.client import operator_calls

    show(operator_calls.list_endpoints(), url, as_json=as_json, as_text=_print_endpoints)


@app.command()
def get(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Shows an endpoint."""
    from perdure.client import operator_calls

    show(operator_calls.get_endpoint(name), url, as_json=as_json, as_text=print_answer)


@app.command()
def rotate(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Gives an endpoint a new secret and shows it, this once; the one before signs as well for 24 hours."""
    from perdure.client import operator_calls

    show(operator_calls.rotate_endpoint(name), url, as_json=as_json, as_text=_print_with_secret)


@app.command()
def disable(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Stops calling an endpoint: what is to be told to it fails."""
    from perdure.client import operator_calls

    show(operator_calls.disable_endpoint(name), url, as_json=as_json, as_text=_print_state)


@app.command()
def enable(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Calls an endpoint again; what failed meanwhile is sent again by `recover`."""
    from perdure.client import operator_calls

    show(operator_calls.enable_endpoint(name), url, as_json=as_json, as_text=_print_state)


@app.command()
def recover(
    *,
    name: Name,
    since: Annotated[str, typer.Option(help="From when on, e.g. 2030-01-31T12:00:00Z.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Sends again what failed to reach an endpoint, each as a further delivery; 10,000 at most."""
    from perdure.client import operator_calls

    show(operator_calls.recover_endpoint(name, since), url, as_json=as_json, as_text=_print_recovery)


@app.command("test")
def call(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Calls an endpoint once, as if a job of the type endpoint.test had succeeded; exit code 1 if it did not arrive."""
    from perdure.client import operator_calls

    with connect(url) as client:
        made = client.call(operator_calls.call_endpoint(name))
    if as_json:
        print_json(made)
    else:
        _print_test(made)
    if not made["arrived"]:
        raise typer.Exit(ExitCode.ERROR)


@app.command()
def remove(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Removes an endpoint: what is to be told to it fails, what is on record stays."""
    from perdure.client import operator_calls

    with connect(url) as client:
        client.call(operator_calls.remove_endpoint(name))
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        print_line(f"{name}  removed")


def _print_endpoints(found: Page[Endpoint]) -> None:
    if not found["items"]:
        print_line("No endpoints. Add one: perdure endpoints add NAME https://…")
        return
    print_table(
        ["endpoint", "url", "state", "reason", "failing since", "set by", "set"],
        [
            [
                one["name"],
                one["url"],
                one["state"],
                one["reason"] or "",
                moment(one["failing_since"]),
                one["set_by"],
                moment(one["updated_at"]),
            ]
            for one in found["items"]
        ],
        dispensable=["set", "set by", "failing since"],
    )


def _print_with_secret(endpoint: EndpointWithSecret) -> None:
    print_answer(endpoint)
    if endpoint["secret"] is not None:
        print_line("Give the secret to the receiver now: it is not shown again.")


def _print_state(endpoint: Endpoint) -> None:
    print_line(f"{endpoint['name']}  {endpoint['state']}")


def _print_recovery(recovery: Recovery) -> None:
    rest = "" if recovery["is_complete"] else "; there are more, ask again"
    print_line(f"{recovery['resent']:,} sent again{rest}")


def _print_test(made: EndpointTest) -> None:
    answer = answered(made["status_code"], made["error_type"], made["message"])
    print_line(f"{made['verdict']}  {made['duration_ms']} ms  {answer}".rstrip())
