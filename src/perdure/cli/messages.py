"""``perdure deliveries preview`` and ``test``: messages looked at, and one sent, before anybody depends on them.

A test message is that of a real job, for a delivery is a record of its job: the command submits one that does nothing
(or fails as asked) and declares the channel. So what is tested is all of it, from the submission through worker and
notifier to the provider with the settings that it has there, and it is on record like any other.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli.output import ExitCode, exit_code_of, print_json, print_line
from perdure.cli.payload import wrong_usage
from perdure.cli.server import AsJson, Url, connect

if TYPE_CHECKING:
    from perdure.client.client import Client
    from perdure.client.delivery_answers import Delivery, DeliveryDetail, MessagePreview

LOOK_SECONDS = 0.5
TAG = "test-message"
_ENDPOINT = "endpoint:"
"""How deliveries show that they go to a webhook endpoint, before its name."""
_TO = {"email": "ADDRESS", "webhook": "URL, or endpoint:NAME"}
"""What is to be given with ``--to``."""
SAYS = "This is a test message. Nothing is wrong."
WHO = "perdure deliveries test"


class Part(StrEnum):
    """What of a message is shown; without one, subject and text."""

    SUBJECT = "subject"
    TEXT = "text"
    HTML = "html"


class TestedEvent(StrEnum):
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


def register(app: typer.Typer) -> None:
    app.command()(preview)
    app.command("test")(send_test)


def preview(
    *,
    delivery_id: Annotated[str | None, typer.Argument(help="What this delivery tells.")] = None,
    job: Annotated[str | None, typer.Option(help="A real job, as it stands.")] = None,
    event: Annotated[str | None, typer.Option(help="SUCCESS, FAILURE or CANCELLED.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="The type of the sample job.")] = None,
    part: Annotated[Part | None, typer.Option("--format", help="One part of it, as it is sent.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Shows a message as it would be sent: of a sample job, of a real one, or of a delivery."""
    from perdure.client import calls

    event = None if event is None else event.upper()
    call = calls.preview_message(event=event, job_type=job_type, job_id=job, delivery_id=delivery_id)
    with connect(url) as client:
        message = client.call(call)
    if as_json:
        print_json(message)
    else:
        _print_message(message, part)


def send_test(
    *,
    channel: Annotated[str, typer.Option(help="The channel to try.")] = "email",
    to: Annotated[str | None, typer.Option(help="Whom to tell: an address, a webhook's URL, or endpoint:NAME.")] = None,
    event: Annotated[TestedEvent, typer.Option(case_sensitive=False, help="What it tells of.")] = TestedEvent.SUCCESS,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Give up waiting after so many seconds.")] = 60.0,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Sends a test message, as the one of a job that does nothing, and says how it ended. It is on record."""
    from perdure.client import calls

    _check_recipient(channel, to)
    with connect(url) as client:
        until = time.monotonic() + timeout
        job = client.call(calls.submit(_job(channel, to, event)))
        job = client.wait(job["job_id"], timeout_seconds=timeout)
        if job["finished_at"] is None:
            if as_json:
                print_json(job)
            else:
                print_line(f"Nothing is sent yet: the job {job['job_id']} is ", job["status"], ". Does a worker run?")
            raise typer.Exit(exit_code_of(job))
        delivery = client.call(calls.get_delivery(_ended(client, job["job_id"], channel, until)["delivery_id"]))
    if as_json:
        print_json(delivery)
    else:
        _print_outcome(delivery)
    if delivery["finished_at"] is None:
        raise typer.Exit(ExitCode.TIME_IS_UP)
    if delivery["status"] not in ("SENT", "DELIVERED"):
        raise typer.Exit(ExitCode.ERROR)


def _check_recipient(channel: str, to: str | None) -> None:
    """What can be told without a server; channels that packages bring are not known here."""
    if to is None and channel in _TO:
        raise wrong_usage(f"Say whom to tell: --to {_TO[channel]}.")
    if to is not None and channel == "slack":
        raise wrong_usage("Leave --to out: a message to Slack goes to the channel of SLACK_WEBHOOK_URL.")


def _job(channel: str, to: str | None, event: TestedEvent) -> dict[str, Any]:
    """The job whose end is told."""
    fails = event is TestedEvent.FAILURE
    job: dict[str, Any] = {
        "job_type": "demo.fail" if fails else "demo.sleep",
        "payload": {"message": SAYS} if fails else {"seconds": 0},
        "max_retries": 0,
        "tags": [TAG],
        "context": {"user_id": WHO},
        "notifications": {channel: {"on": [event.value]}},
    }
    if to is not None and channel == "email":
        job["context"]["email"] = to
    elif to is not None and to.startswith(_ENDPOINT):
        job["notifications"][channel]["endpoint"] = to.removeprefix(_ENDPOINT)
    elif to is not None:
        job["notifications"][channel]["url"] = to
    return job


def _ended(client: Client, job_id: str, channel: str, until: float) -> Delivery:
    """The job's delivery by the channel, once nothing more becomes of it, or as it is when time is up."""
    from perdure.client import calls

    while True:
        deliveries = client.call(calls.job_deliveries(job_id))["items"]
        delivery = next(one for one in deliveries if one["channel"] == channel)
        left = until - time.monotonic()
        if delivery["finished_at"] is not None or left <= 0:
            return delivery
        time.sleep(min(LOOK_SECONDS, left))


def _print_message(message: MessagePreview, part: Part | None) -> None:
    match part:
        case None:
            print_line(f"Subject: {message['subject']}\n\n{message['text']}")
        case Part.SUBJECT:
            print_line(message["subject"])
        case Part.TEXT:
            print_line(message["text"])
        case Part.HTML:
            print_line(message["html"])


def _print_outcome(delivery: DeliveryDetail) -> None:
    whom = "" if delivery["recipient"] is None else f" to {delivery['recipient']}"
    reason = "" if delivery["reason"] is None else f" ({delivery['reason']})"
    print_line(f"{delivery['delivery_id']}  ", delivery["status"], f"{reason}{whom} by {delivery['provider']}")
    print_line(delivery["explanation"])
