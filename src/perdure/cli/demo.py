"""``perdure demo``: the main job on real input, and what became of it. Exit code 0 only if all of it happened."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli import demo_platform
from perdure.cli import demo_report as report
from perdure.cli.output import ExitCode
from perdure.cli.run import DataDir
from perdure.cli.server import Url
from perdure.errors import ConfigurationError

if TYPE_CHECKING:
    from perdure.client.answers import Job
    from perdure.client.client import Client
    from perdure.client.delivery_answers import Delivery

RECIPIENT = "ada@example.com"
TELLING: dict[str, Any] = {
    "context": {"email": RECIPIENT},
    "notifications": {"email": {"on": ["SUCCESS", "FAILURE"]}},
}
WAIT_SECONDS = 300.0
MAIL_SECONDS = 20.0
POLL_SECONDS = 0.1
FAILING_RETRIES = 2
QUICK_RETRY = {"base_seconds": 0.5, "max_seconds": 1}


@dataclass
class Checks:
    """What had to happen, and whether it did."""

    made: list[tuple[bool, str]] = field(default_factory=list)

    def expect(self, holds: bool, wanted: str, otherwise: str = "") -> None:  # noqa: FBT001 (reads as a sentence)
        self.made.append((holds, wanted if holds or not otherwise else f"{wanted}: {otherwise}"))

    @property
    def all_hold(self) -> bool:
        return all(holds for holds, _ in self.made)


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="A CSV file of your own; left out: the weather of Seattle.")
    ] = None,
    data_dir: DataDir = None,
    url: Url = None,
) -> None:
    """Runs the main job on real input and prints what happened, on a platform of its own or on a running one."""
    started = time.monotonic()
    table = _table(file)
    checks = Checks()
    with demo_platform.opened(url, data_dir) as client:
        jobs = _run(client, table, checks)
        _tell(client, jobs, checks)
    report.ending(time.monotonic() - started, checks.made)
    raise typer.Exit(ExitCode.OK if checks.all_hold else ExitCode.ERROR)


def _run(client: Client, table: Path, checks: Checks) -> list[Job]:
    """Submits one job that succeeds and one that fails, waits for both, and shows what happened to them."""
    from perdure.client import calls

    stored = client.upload(table)
    report.uploaded(stored)
    message = {"message": "the disk of the demonstration is full"}
    jobs = [
        client.submit("csv.profile", {"file": stored["file_id"]}, **TELLING),
        client.submit("demo.fail", message, max_retries=FAILING_RETRIES, retry=QUICK_RETRY, **TELLING),
    ]
    report.submitted(jobs, RECIPIENT)

    good, bad = jobs = [client.wait(job["job_id"], WAIT_SECONDS) for job in jobs]
    for job in jobs:
        report.timeline(job, client.call(calls.job_events(job["job_id"]))["items"])
    if good["result"] is not None:
        report.profile(good["result"])
    checks.expect(good["status"] == "SUCCEEDED", "csv.profile succeeded", _state(good))
    checks.expect(
        (bad["status"], bad["attempt"]) == ("FAILED", FAILING_RETRIES + 1),
        f"demo.fail failed, after {FAILING_RETRIES + 1} attempts",
        f"{_state(bad)} after attempt {bad['attempt']}",
    )
    return jobs


def _tell(client: Client, jobs: list[Job], checks: Checks) -> None:
    """The notifications of both jobs, and, where this server has the local inbox, the mails as they arrived."""
    deliveries = [_settled_delivery(client, job["job_id"]) for job in jobs]
    for job, delivery in zip(jobs, deliveries, strict=True):
        checks.expect(
            delivery is not None and delivery["status"] == "SENT",
            f"{RECIPIENT} was told about {job['job_type']}",
            "no notification was due" if delivery is None else f"its delivery is {delivery['status']}",
        )
    found = [delivery for delivery in deliveries if delivery is not None]
    report.deliveries(found)
    mails = _mails(client, {delivery["delivery_id"] for delivery in found})
    if mails is None:
        report.no_inbox()
        return
    checks.expect(len(mails) == len(jobs), f"{len(jobs)} mails arrived in the local inbox", f"{len(mails)} did")
    report.mails(len(mails))
    for mail in mails:
        report.mail(mail)


def _mails(client: Client, delivery_ids: set[str]) -> list[dict[str, Any]] | None:
    """The mails of these deliveries in the order of their arrival; None where there is no local inbox."""
    from perdure.client import calls
    from perdure.client.errors import PerdureAPIError

    try:
        inbox = client.call(calls.inbox())["items"]
    except PerdureAPIError as error:
        if error.code != "no_such_route":
            raise
        return None
    mails = [one["mail"] for one in reversed(inbox)]
    return [mail for mail in mails if mail.get("custom_variables", {}).get("delivery_id") in delivery_ids]


def _settled_delivery(client: Client, job_id: str) -> Delivery | None:
    """The job's delivery once it is sent, skipped or given up, or as it is when the time is up."""
    from perdure.client import calls

    until = time.monotonic() + MAIL_SECONDS
    while True:
        found = client.call(calls.job_deliveries(job_id))["items"]
        delivery = found[0] if found else None
        if time.monotonic() > until or (delivery is not None and delivery["finished_at"] is not None):
            return delivery
        time.sleep(POLL_SECONDS)


def _state(job: Job) -> str:
    waits = "" if job["finished_at"] is not None else " (does a worker run?)"
    return f"it is {job['status']}{waits}"


def _table(file: Path | None) -> Path:
    """The user's own file, or the one that ships with Perdure (in a checkout: the examples')."""
    if file is not None:
        if not file.is_file() or not os.access(file, os.R_OK):
            raise ConfigurationError(f"There is no file {file} that can be read.")
        return file
    name = "seattle-weather.csv"
    packaged = Path(str(resources.files("perdure"))) / "_data" / name
    checkout = Path(__file__).parents[3] / "examples" / "data" / name
    return packaged if packaged.is_file() else checkout
