"""``perdure subscriptions``: who is told of which jobs, whatever these declare; over the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.output import moment, print_answer, print_json, print_line, print_table
from perdure.cli.payload import given_ones, read_payload, wrong_usage
from perdure.cli.server import AsJson, Url, connect, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.subscription_answers import Subscription

app = typer.Typer(help="The operator's own channel: who is told of which jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The subscription's name.")]


@app.command("list")
def list_(*, url: Url = None, as_json: AsJson = False) -> None:
    """Lists the subscriptions, in order of name."""
    from perdure.client import operator_calls

    show(operator_calls.list_subscriptions(), url, as_json=as_json, as_text=_print_subscriptions)


@app.command()
def get(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a subscription."""
    from perdure.client import operator_calls

    show(operator_calls.get_subscription(name), url, as_json=as_json, as_text=print_answer)


@app.command("set")
def set_(
    *,
    name: Name,
    job_type: Annotated[str | None, typer.Option(help="Only jobs of this type; default: any.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue; default: any.")] = None,
    event: Annotated[
        list[str] | None, typer.Option(help="SUCCESS, FAILURE or CANCELLED; may be given again; default: FAILURE.")
    ] = None,
    email: Annotated[list[str] | None, typer.Option(help="Whom to tell by mail; may be given again.")] = None,
    slack: Annotated[bool, typer.Option("--slack", help="Tell the Slack channel.")] = False,
    webhook: Annotated[str | None, typer.Option(help="Call this URL.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Call the webhook endpoint of this name.")] = None,
    notifications: Annotated[
        str | None, typer.Option(help="Channels as JSON, as a job declares them but without `on`; @FILE, -.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Makes a subscription, or replaces the one of this name: what is left out has its default."""
    from perdure.client import operator_calls

    declared = read_payload(notifications, "--notifications")
    if not isinstance(declared, dict | None):
        raise wrong_usage("--notifications must be a JSON object.")
    channels: dict[str, Any] = {
        "email": {"to": email} if email else None,
        "slack": {} if slack else None,
        "webhook": given_ones(url=webhook, endpoint=endpoint) or None,
    }
    told = (declared or {}) | {name: one for name, one in channels.items() if one is not None}
    if not told:
        raise wrong_usage("Say whom to tell: --email, --slack, --webhook, --endpoint or --notifications.")
    subscription = given_ones(job_type=job_type, queue=queue, events=[one.upper() for one in event or ()])
    subscription["notifications"] = told
    show(operator_calls.set_subscription(name, subscription), url, as_json=as_json, as_text=print_answer)


@app.command()
def delete(*, name: Name, url: Url = None, as_json: AsJson = False) -> None:
    """Deletes a subscription: nobody is told by it any more."""
    from perdure.client import operator_calls

    with connect(url) as client:
        client.call(operator_calls.delete_subscription(name))
    if as_json:
        print_json({"name": name, "deleted": True})
    else:
        print_line(f"{name}  deleted")


def _print_subscriptions(found: Page[Subscription]) -> None:
    if not found["items"]:
        print_line("No subscriptions. Make one: perdure subscriptions set NAME --job-type TYPE --email ADDRESS")
        return
    print_table(
        ["subscription", "job type", "queue", "events", "channels", "set by", "set"],
        [
            [
                one["name"],
                one["job_type"] or "any",
                one["queue"] or "any",
                ", ".join(one["events"]),
                ", ".join(one["notifications"]),
                one["set_by"],
                moment(one["updated_at"]),
            ]
            for one in found["items"]
        ],
        dispensable=["set", "set by"],
    )
