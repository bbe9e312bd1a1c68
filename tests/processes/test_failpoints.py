"""Killed (kill -9) at each point between two steps of the path: what is then true, and what it comes to in the end.

All failpoints are gone through once, in the order in which work meets them, a job for each; then an ordinary worker
finishes what is left. Each row of the tables is a test.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

import asyncpg
import pytest
from tests.databases import create_database, run_aside
from tests.processes.dying import FAILPOINTS, PROCESSORS, die_at
from tests.processes.forked import ForkedProcess, Forks
from tests.processes.test_crashes import TOLD, until
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.client import calls
from perdure.client.client import Client
from perdure.client.errors import ServerUnreachable

pytestmark = [pytest.mark.xdist_group("crashes"), pytest.mark.timeout(600)]  # the first test goes through all of it


@dataclass(frozen=True)
class JobRow:
    """What a job is right after the death; in the end its run and attempt, how often it began, and acted."""

    failpoint: str
    after_death: str | None
    run: int = 1
    attempt: int = 1
    started: int = 1
    effects: int = 1


WORKER = [
    JobRow("claimed, not committed", "QUEUED"),
    JobRow("claimed, not started", "RUNNING", attempt=2, started=2),
    JobRow("processor entered", "RUNNING", attempt=2, started=2),
    JobRow("processor done, nothing handed in", "RUNNING", attempt=2, started=2, effects=2),
    JobRow("succeeded, not committed", "RUNNING", attempt=2, started=2, effects=2),
    JobRow("succeeded, not announced", "SUCCEEDED"),
    JobRow("concluded, not committed", "RUNNING", attempt=2, started=2, effects=2),
    JobRow("concluded, not announced", "SUCCEEDED"),
]
SWEEPER = [
    JobRow("rescued, not committed", "RUNNING", attempt=2, started=2),
    JobRow("rescued, not announced", "RETRYING", attempt=2, started=2),
]
PROMOTER = [
    JobRow("promoted, not committed", "SCHEDULED"),
    JobRow("promoted, not announced", "QUEUED"),
]
SERVER = [
    JobRow("submitted, not committed", None, started=0, effects=0),
    JobRow("submitted, not answered", "QUEUED"),
    JobRow("restarted, not committed", "SUCCEEDED"),
    JobRow("restarted, not answered", "QUEUED", run=2, started=2, effects=2),
]


@dataclass(frozen=True)
class DeliveryRow:
    """The delivery of one job, which meets these one after the other: its tries, and the mails that have come."""

    failpoint: str
    after_death: str
    tries: int
    mails: int


NOTIFIER = [
    DeliveryRow("delivery claimed, not committed", "PENDING", 0, 0),
    DeliveryRow("delivery claimed, not sent", "SENDING", 1, 0),
    DeliveryRow("mail accepted, not committed", "SENDING", 2, 1),
    DeliveryRow("mail accepted, not announced", "SENT", 3, 2),
]
_OPEN_TRANSACTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND xact_start IS NOT NULL
"""
DIES_BY_ITSELF = {"processor entered", *(row.failpoint for row in SWEEPER)}
"""Failpoints whose jobs' first attempt is killed in the processor."""


class Gauntlet:
    """Takes a job to each failpoint, and keeps what it saw."""

    def __init__(self, database_url: str, directory: Path, forks: Forks, mailtrap: MailtrapStandIn) -> None:
        self._database_url = database_url
        self._directory = directory
        self._forks = forks
        self._mailtrap = mailtrap
        self._jobs: dict[str, str] = {}
        self.ends: dict[str, int | None] = {}
        """How the process of each failpoint ended."""
        self.after_death: dict[str, Any] = {}
        """The status of a job, or the delivery of the job that is told of, right after that."""

    def run(self) -> None:
        server = self._process(None, serves=True)
        with Client(server.url) as self._client:
            self._die_at_work()
            for row in SWEEPER:
                self._die(row, serves=True, run_sweeper=True)
            for row in PROMOTER:
                self._die(row, serves=True, run_promoter=True)
            for delivery_row in NOTIFIER:
                self._die_telling(delivery_row)
            for row in SERVER[:2]:
                self._die_answering(row, calls.submit(self._job(row.failpoint)))
            for row in SERVER[2:]:
                self._die_answering(row, calls.retry_job(self._jobs[row.failpoint]))
            self._process(None, run_notifier=True, run_promoter=True, run_sweeper=True)
            self.in_the_end = {failpoint: self._finished(failpoint) for failpoint in self._jobs}
            self.mails = [one.mail["custom_variables"]["delivery_id"] for one in self._mailtrap.received]
            self.headers = [one.mail["headers"]["X-Delivery-Id"] for one in self._mailtrap.received]

    def effects(self, failpoint: str) -> int:
        file = self._effects(failpoint)
        return file.read_text().count("done") if file.exists() else 0

    def _die_at_work(self) -> None:
        """The workers die together, each serving a queue of its own; one lives, and does what is to be restarted."""
        workers = {
            row.failpoint: self._process(row.failpoint, queues=[_queue(row.failpoint)]) for row in (*WORKER, *SWEEPER)
        }
        to_restart = [row.failpoint for row in SERVER[2:]]
        living = workers[""] = self._process(None, queues=[_queue(failpoint) for failpoint in to_restart])
        for worker in workers.values():
            assert worker.url is None, "it runs, and has published its job types"
        for row in PROMOTER:
            self._submit(row.failpoint, delay_seconds=0.2)
        for row in (*WORKER, *SWEEPER, *SERVER[2:]):
            self._submit(row.failpoint)
        for failpoint in to_restart:
            self._client.wait(self._jobs[failpoint], 60)
        living.close()
        for row in WORKER:
            self._note_death(row, workers[row.failpoint])
        for row in SWEEPER:
            assert workers[row.failpoint].end() == -SIGKILL

    def _die(self, row: JobRow, **settings: Any) -> None:
        self._note_death(row, self._process(row.failpoint, **settings))

    def _die_telling(self, row: DeliveryRow) -> None:
        self.ends[row.failpoint] = self._process(row.failpoint, serves=True, run_notifier=True).end()
        self.after_death[row.failpoint] = self._deliveries("concluded, not announced"), len(self._mailtrap.received)
        run_aside(self._bury())

    def _die_answering(self, row: JobRow, call: calls.Call[Any]) -> None:
        server = self._process(row.failpoint, serves=True)
        with Client(server.url) as client, pytest.raises(ServerUnreachable):
            client.call(call)
        for found in self._client.call(calls.list_jobs(queue=_queue(row.failpoint)))["items"]:
            self._jobs[row.failpoint] = found["job_id"]
        self._note_death(row, server)

    def _note_death(self, row: JobRow, process: ForkedProcess) -> None:
        self.ends[row.failpoint] = process.end()
        job_id = self._jobs.get(row.failpoint)
        self.after_death[row.failpoint] = None if job_id is None else self._client.get(job_id)["status"]
        run_aside(self._bury())

    def _process(self, failpoint: str | None, *, serves: bool = False, **settings: Any) -> ForkedProcess:
        """A process that does, of all that goes on beside jobs and requests, only what the settings name."""
        prepare = partial(die_at, failpoint) if failpoint in FAILPOINTS else None
        loops = {f"run_{loop}": False for loop in ("notifier", "promoter", "sweeper", "scheduler", "pruner")}
        return self._forks.start(prepare, serves=serves, **loops | settings)

    def _job(self, failpoint: str) -> dict[str, Any]:
        return {
            "job_type": "test.effect",
            "queue": _queue(failpoint),
            "payload": {"file": str(self._effects(failpoint)), "dies": failpoint in DIES_BY_ITSELF},
            "retry": {"base_seconds": 0.01, "max_seconds": 0.01},
        }

    def _submit(self, failpoint: str, **declared: Any) -> None:
        told = TOLD if failpoint.startswith("concluded") else {}
        job = self._client.call(calls.submit(self._job(failpoint) | told | declared))
        self._jobs[failpoint] = job["job_id"]

    def _effects(self, failpoint: str) -> Path:
        return self._directory / f"{_queue(failpoint)}.effects"

    def _deliveries(self, failpoint: str) -> list[Any]:
        listed = self._client.call(calls.job_deliveries(self._jobs[failpoint]))["items"]
        return [self._client.call(calls.get_delivery(one["delivery_id"])) for one in listed]

    async def _bury(self) -> None:
        """Lets the leases of those who died end, which takes its time, and their transactions, which is at once."""
        connection = await asyncpg.connect(self._database_url)
        while await connection.fetchval(_OPEN_TRANSACTIONS):
            pass
        await connection.execute("UPDATE perdure.workers SET lease_until = now()")
        await connection.execute("UPDATE perdure.deliveries SET next_attempt_at = now() WHERE status = 'SENDING'")
        await connection.close()

    def _finished(self, failpoint: str) -> tuple[Any, list[str], list[Any]]:
        """The job once it is final and whoever it names is told, its timeline, and its deliveries."""
        job = self._client.wait(self._jobs[failpoint], 60)
        until(lambda: all(one["finished_at"] for one in self._deliveries(failpoint)), 60)
        events = [one["event"] for one in self._client.call(calls.job_events(job["job_id"]))["items"]]
        return job, events, self._deliveries(failpoint)


def _queue(failpoint: str) -> str:
    return failpoint.replace(",", "").replace(" ", "-")


@pytest.fixture(scope="module")
def gauntlet(embedded_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Gauntlet:
    directory = tmp_path_factory.mktemp("gauntlet")
    (directory / "effects.py").write_text(PROCESSORS)
    url = run_aside(create_database(embedded_url, f"failpoints_{worker_id}"))
    with MailtrapStandIn() as mailtrap:
        provider = {"mailtrap_api_key": "key", "mailtrap_inbox_id": "7", "mailtrap_api_host": mailtrap.url}
        with Forks(directory, database_url=url, processors=["effects"], **provider) as forks:
            made = Gauntlet(url, directory, forks, mailtrap)
            made.run()
    return made


@pytest.mark.parametrize("row", [*WORKER, *SWEEPER, *PROMOTER, *SERVER], ids=lambda row: row.failpoint)
def test_a_job_survives_a_kill_when_it_is(gauntlet: Gauntlet, row: JobRow):
    assert gauntlet.ends[row.failpoint] == -SIGKILL
    assert gauntlet.after_death[row.failpoint] == row.after_death
    assert gauntlet.effects(row.failpoint) == row.effects
    if row.after_death is None:
        assert row.failpoint not in gauntlet.in_the_end, "what is not committed was never there"
        return
    job, events, _ = gauntlet.in_the_end[row.failpoint]
    assert (job["status"], job["run"], job["attempt"]) == ("SUCCEEDED", row.run, row.attempt)
    assert events.count("STARTED") == row.started
    assert events.count("SUCCESS") == row.run, "one end a run"


@pytest.mark.parametrize("row", NOTIFIER, ids=lambda row: row.failpoint)
def test_a_telling_survives_a_kill_when_it_is(gauntlet: Gauntlet, row: DeliveryRow):
    assert gauntlet.ends[row.failpoint] == -SIGKILL
    [delivery], mails = gauntlet.after_death[row.failpoint]
    assert (delivery["status"], delivery["attempts"], mails) == (row.after_death, row.tries, row.mails)


def test_every_try_is_on_record_and_no_mail_came_without_one(gauntlet: Gauntlet):
    _, _, [killed] = gauntlet.in_the_end["concluded, not announced"]
    assert [one["error_type"] for one in killed["tries"]] == ["sender_lost", "sender_lost", None]
    assert [one["verdict"] for one in killed["tries"]] == ["ambiguous", "ambiguous", "accepted"]
    _, _, [other] = gauntlet.in_the_end["concluded, not committed"]
    assert [one["verdict"] for one in other["tries"]] == ["accepted"]
    assert gauntlet.headers == gauntlet.mails, "the header names the delivery as the custom variable does"
    assert gauntlet.mails.count(killed["delivery_id"]) == 2, "one for each kill after the provider's 200"
    assert gauntlet.mails.count(other["delivery_id"]) == 1
    assert len(gauntlet.mails) == 3
