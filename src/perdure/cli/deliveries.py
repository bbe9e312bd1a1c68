"""``perdure deliveries``: who was told what, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from perdure.cli import messages
from perdure.cli.delivery_filters import Channel, Event, Job, Provider, Recipient, delivery_filters_of
from perdure.cli.filters import CreatedAfter, CreatedBefore, JobType, Status
from perdure.cli.output import answered, moment, print_answer, print_json, print_line, print_more, print_table
from perdure.cli.server import AsJson, PageCursor, PageLimit, Url, connect, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.client import Client
    from perdure.client.delivery_answers import Delivery, DeliveryDetail, Resent

app = typer.Typer(help="The audit of notifications.", no_args_is_help=True)

messages.register(app)

DeliveryId = Annotated[str, typer.Argument(help="The delivery's id.")]


@app.command("list")
def list_(
    *,
    status: Status = None,
    recipient: Recipient = None,
    channel: Channel = None,
    provider: Provider = None,
    event: Event = None,
    job_type: JobType = None,
    job: Job = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lists deliveries, newest first, each with why it stands as it stands."""
    from perdure.client import calls

    filters = delivery_filters_of(
        status=status,
        recipient=recipient,
        channel=channel,
        provider=provider,
        event=event,
        job_type=job_type,
        job=job,
        created_after=created_after,
        created_before=created_before,
    )
    call = calls.list_deliveries(**filters, limit=limit, cursor=cursor)
    show(call, url, as_json=as_json, as_text=_print_page)


@app.command()
def get(*, delivery_id: DeliveryId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a delivery with every try, what was said of it since, and why it stands as it stands."""
    from perdure.client import calls

    show(calls.get_delivery(delivery_id), url, as_json=as_json, as_text=_print_delivery)


@app.command()
def resend(*, delivery_id: DeliveryId, url: Url = None, as_json: AsJson = False) -> None:
    """Sends a finished delivery again, as a further one; prints the new one's id."""
    from perdure.client import calls

    show(calls.resend_delivery(delivery_id, str(uuid4())), url, as_json=as_json, as_text=_print_status)


@app.command("resend-all")
def resend_all(
    *,
    status: Status = None,
    recipient: Recipient = None,
    channel: Channel = None,
    provider: Provider = None,
    event: Event = None,
    job_type: JobType = None,
    job: Job = None,
    created_after: CreatedAfter = None,
    created_before: CreatedBefore = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what it would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Counts the finished deliveries that match, asks, and sends those again that were not yet."""
    filters = delivery_filters_of(
        status=status or ["FAILED"],
        recipient=recipient,
        channel=channel,
        provider=provider,
        event=event,
        job_type=job_type,
        job=job,
        created_after=created_after,
        created_before=created_before,
    )
    with connect(url) as client:
        if not dry_run and not yes:
            found = _resent(client, filters, dry_run=True)
            typer.confirm(f"Send {found['resent']:,} of {found['matched']:,} again?", abort=True, err=True)
        found = _resent(client, filters, dry_run=dry_run)
    if as_json:
        print_json(found)
    else:
        print_line(f"{'It would send' if dry_run else 'Sent'} {found['resent']:,} of {found['matched']:,} again.")


@app.command()
def cancel(*, delivery_id: DeliveryId, url: Url = None, as_json: AsJson = False) -> None:
    """Calls off a delivery that waits to be sent."""
    from perdure.client import calls

    show(calls.cancel_delivery(delivery_id), url, as_json=as_json, as_text=_print_status)


def _resent(client: Client, filters: Mapping[str, Any], *, dry_run: bool) -> Resent:
    """All batches, added up."""
    from perdure.client import calls

    cursor, matched, resent = None, 0, 0
    while True:
        batch = client.call(calls.resend_deliveries(filters, cursor=cursor, dry_run=dry_run))
        matched, resent, cursor = matched + batch["matched"], resent + batch["resent"], batch["next_cursor"]
        if cursor is None:
            return {"matched": matched, "resent": resent, "next_cursor": None}


def _print_page(page: Page[Delivery]) -> None:
    if not page["items"]:
        print_line("None matches. A job that declares no `notifications` leaves none.")
        return
    print_table(
        ["delivery", "job", "event", "provider", "recipient", "status", "reason", "tries", "created", "explanation"],
        [
            [
                one["delivery_id"],
                one["job_id"],
                one["event"],
                one["provider"],
                one["recipient"] or "",
                one["status"],
                one["reason"] or "",
                str(one["attempts"]),
                moment(one["created_at"]),
                one["explanation"],
            ]
            for one in page["items"]
        ],
        dispensable=["job", "provider", "created", "tries", "reason"],
    )
    print_more(page["next_cursor"])


def _print_delivery(delivery: DeliveryDetail) -> None:
    print_answer(delivery, without=["tries", "feedback", "last_error"])
    for one in delivery["tries"]:
        answer = answered(one["status_code"], one["error_type"], one["message"])
        print_line(
            f"try {one['number']}  {moment(one['started_at'])}  {one['duration_ms']} ms  {one['verdict']}  {answer}"
        )
    for said in delivery["feedback"]:
        print_line(f"{said['kind']}  {moment(said['occurred_at'])}  {said['provider']}  {said['detail'] or ''}")


def _print_status(delivery: Delivery) -> None:
    print_line(f"{delivery['delivery_id']}  ", delivery["status"])
