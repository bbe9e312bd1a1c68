"""``perdure demo``: the main job on real input, and what became of it. Exit code 0 only if all of it happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from perdure.cli import demo_report as report
from perdure.cli.output import ExitCode
from perdure.cli.run import DataDir
from perdure.cli.server import Url
from perdure.errors import ConfigurationError

if TYPE_CHECKING:
    from perdure.client.client import Client

RECIPIENT = "ada@example.com"
WAIT_SECONDS = 300.0
POLL_SECONDS = 0.1
STOP_SECONDS = 15.0
MAIL_SECONDS = 20.0
FAILING_RETRIES = 2


@dataclass
class Checks:
    """What had to happen, and what of it did not."""

    failed: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:  # noqa: FBT001 (reads as a sentence)
        if not holds:
            self.failed.append(what)


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
    with _platform(url, data_dir) as client:
        checks = Checks()
        _run(client, table, checks)
    report.ending(time.monotonic() - started, checks.failed)
    raise typer.Exit(ExitCode.ERROR if checks.failed else ExitCode.OK)


def _run(client: Client, table: Path, checks: Checks) -> None:
    from perdure.client import calls

    stored = client.upload(table)
    report.uploaded(stored)
    telling = {"context": {"email": RECIPIENT}, "notifications": {"email": {"on": ["SUCCESS", "FAILURE"]}}}
    good = client.submit("csv.profile", {"file": stored["file_id"]}, **telling)
    retry = {"base_seconds": 0.5, "max_seconds": 1}
    message = {"message": "the disk of the demonstration is full"}
    bad = client.submit("demo.fail", message, max_retries=FAILING_RETRIES, retry=retry, **telling)
    for job in (good, bad):
        report.submitted(job)

    good, bad = (client.wait(job["job_id"], WAIT_SECONDS) for job in (good, bad))
    for job in (good, bad):
        report.timeline(job, client.call(calls.job_events(job["job_id"]))["items"])
    if good["result"] is not None:
        report.profile(good["result"])
    checks.expect(good["status"] == "SUCCEEDED", f"csv.profile ended as {good['status']}, not SUCCEEDED")
    checks.expect(
        bad["status"] == "FAILED" and bad["attempt"] == FAILING_RETRIES + 1,
        f"demo.fail ended as {bad['status']} after {bad['attempt']} attempts, not FAILED after {FAILING_RETRIES + 1}",
    )
    _tell(client, [good, bad], checks)


def _tell(client: Client, jobs: list[dict[str, Any]], checks: Checks) -> None:
    """The notifications of both jobs, and, where this server has the local inbox, the mails as they arrived."""
    from perdure.client import calls
    from perdure.client.errors import RequestRefused

    deliveries = [_settled_delivery(client, job["job_id"]) for job in jobs]
    for delivery in deliveries:
        checks.expect(
            delivery is not None and delivery["status"] == "SENT",
            "a notification was not sent" if delivery is None else f"a notification is {delivery['status']}",
        )
    report.deliveries([delivery for delivery in deliveries if delivery is not None])
    try:
        inbox = client.call(calls.inbox())["items"]
    except RequestRefused:
        report.no_inbox()
        return
    expected = {delivery["delivery_id"] for delivery in deliveries if delivery is not None}
    mails = [mail["mail"] for mail in inbox if mail["mail"].get("custom_variables", {}).get("delivery_id") in expected]
    checks.expect(len(mails) == len(jobs), f"{len(mails)} of {len(jobs)} mails arrived")
    for mail in reversed(mails):
        report.mail(mail)


def _settled_delivery(client: Client, job_id: str) -> dict[str, Any] | None:
    """The job's delivery once it is sent, skipped or given up, or as it is when the time is up."""
    from perdure.client import calls

    until = time.monotonic() + MAIL_SECONDS
    while True:
        found = client.call(calls.job_deliveries(job_id))["items"]
        delivery = found[0] if found else None
        if time.monotonic() > until or (delivery is not None and delivery["finished_at"] is not None):
            return delivery
        time.sleep(POLL_SECONDS)


def _table(file: Path | None) -> Path:
    """The user's own file, or the one that ships with Perdure (in a checkout: the examples')."""
    if file is not None:
        if not file.is_file():
            raise ConfigurationError(f"There is no file {file}.")
        return file
    name = "seattle-weather.csv"
    packaged = Path(str(resources.files("perdure"))) / "_data" / name
    checkout = Path(__file__).parents[3] / "examples" / "data" / name
    return packaged if packaged.is_file() else checkout


@contextmanager
def _platform(url: str | None, data_dir: Path | None) -> Iterator[Client]:
    """A client of the running platform that is named, or of one started for the occasion and stopped again."""
    from perdure.client.client import Client

    url = url or os.environ.get("PERDURE_URL")
    if url is not None:
        with Client(url) as client:
            yield client
        return
    home = data_dir or Path(tempfile.mkdtemp(prefix="perdure-demo-"))
    log = home / "demo.log"
    home.mkdir(parents=True, exist_ok=True)
    report.starting(home)
    with log.open("wb") as output:
        process = _start(home, output)
        try:
            with Client(_ready_url(process, log)) as client:
                yield client
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if data_dir is None:
                _remove(home)


def _start(home: Path, log: Any) -> subprocess.Popen[bytes]:
    """`perdure dev` on a free port, with its own database and inbox, whatever the user's environment says."""
    ours = ("PERDURE_", "MAILTRAP_", "MAIL_FROM_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "-m", "perdure", "dev", "--port", "0", "--data-dir", str(home.absolute()), "--json"]
    # In its own directory, so that no `.env` of the user's is read.
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=home)


def _ready_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the server names in its first line. It names none only when it could not start."""
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        said = log.read_text(errors="replace").strip().splitlines()[-5:]
        raise ConfigurationError("The platform did not start. It said:\n" + "\n".join(said))
    return str(json.loads(line)["url"])


def _remove(home: Path) -> None:
    """Removes the demo's directory once its database has stopped writing into it."""
    until = time.monotonic() + STOP_SECONDS
    while any(home.glob("postgres/data-*/postmaster.pid")) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    shutil.rmtree(home, ignore_errors=True)
