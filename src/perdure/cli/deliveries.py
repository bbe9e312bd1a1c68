"""``perdure deliveries``: who was told what, and if not, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import moment, print_answer, print_line, print_more, print_table
from perdure.cli.server import AsJson, PageCursor, PageLimit, Url, show

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.delivery_answers import Delivery, DeliveryDetail

app = typer.Typer(help="The audit of notifications.", no_args_is_help=True)

DeliveryId = Annotated[str, typer.Argument(help="The delivery's id.")]


@app.command("list")
def list_(
    *,
    status: Annotated[list[str] | None, typer.Option(help="Only these states; may be given again.")] = None,
    job: Annotated[str | None, typer.Option(help="Only those of this job.")] = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lists deliveries, newest first."""
    from perdure.client import calls

    states = [one.upper() for one in status or ()]
    call = (
        calls.list_deliveries(status=states, limit=limit, cursor=cursor) if job is None else calls.job_deliveries(job)
    )
    show(call, url, as_json=as_json, as_text=_print_page)


@app.command()
def get(*, delivery_id: DeliveryId, url: Url = None, as_json: AsJson = False) -> None:
    """Shows a delivery with every try, and what was said of it since."""
    from perdure.client import calls

    show(calls.get_delivery(delivery_id), url, as_json=as_json, as_text=_print_delivery)


@app.command()
def resend(*, delivery_id: DeliveryId, url: Url = None, as_json: AsJson = False) -> None:
    """Sends a finished delivery again, as a further one; prints the new one's id."""
    from perdure.client import calls

    show(calls.resend_delivery(delivery_id), url, as_json=as_json, as_text=_print_resent)


def _print_page(page: Page[Delivery]) -> None:
    if not page["items"]:
        print_line("No deliveries: no finished job declares `notifications`.")
        return
    print_table(
        ["delivery", "job", "event", "provider", "recipient", "status", "reason", "tries", "created"],
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
            ]
            for one in page["items"]
        ],
        dispensable=["job", "provider", "created", "tries", "reason"],
    )
    print_more(page["next_cursor"])


def _print_delivery(delivery: DeliveryDetail) -> None:
    print_answer(delivery, without=["tries", "feedback"])
    for one in delivery["tries"]:
        answer = " ".join(
            str(part) for part in (one["status_code"], one["error_type"], one["message"]) if part is not None
        )
        print_line(
            f"try {one['number']}  {moment(one['started_at'])}  {one['duration_ms']} ms  {one['verdict']}  {answer}"
        )
    for said in delivery["feedback"]:
        print_line(f"{said['kind']}  {moment(said['occurred_at'])}  {said['provider']}  {said['detail'] or ''}")


def _print_resent(again: Delivery) -> None:
    print_line(f"{again['delivery_id']}  ", again["status"])
