"""Killed (kill -9) between the other side's yes and our commit, where that is a mail server or a receiver of webhooks.

Mailtrap's turn is in ``test_failpoints.py``. Whoever was told twice can tell: both tries name the same delivery.
"""

import email
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from signal import SIGKILL
from typing import Any

import asyncpg
import pytest
from tests.databases import create_database, run_aside
from tests.processes.dying import PROCESSORS, die_at
from tests.processes.forked import Forks
from tests.processes.test_crashes import until
from tests.stand_in.receiver import LOOPBACK, Receiver, verified
from tests.stand_in.smtp_server import MailServer, mail_server_aside

from perdure.client import calls
from perdure.client.client import Client

pytestmark = pytest.mark.xdist_group("crashes")
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@dataclass(frozen=True)
class Platform:
    """Processes of one platform; ``effects`` is a file for its jobs to write to."""

    forks: Forks
    database_url: str
    effects: str


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with mail_server_aside() as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture(scope="module")
def platform(
    embedded_url: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory, mail_server: MailServer
) -> Iterator[Platform]:
    directory = tmp_path_factory.mktemp("killed")
    (directory / "effects.py").write_text(PROCESSORS)
    url = run_aside(create_database(embedded_url, f"killed_senders_{worker_id}"))
    settings = {
        "smtp_url": f"smtp://127.0.0.1:{mail_server.port}",
        "mail_from_email": "jobs@shop.example",
        "webhook_signing_secret": SECRET,
        "webhook_allow_cidrs": LOOPBACK,
    }
    with Forks(directory, database_url=url, processors=["effects"], **settings) as forks:
        yield Platform(forks, url, str(directory / "effects"))


async def _end_leases(url: str) -> None:
    """What takes its time otherwise: whoever was killed holds nothing any more."""
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE perdure.workers SET lease_until = now()")
    await connection.execute("UPDATE perdure.deliveries SET next_attempt_at = now() WHERE status = 'SENDING'")
    await connection.close()


def _told_twice(platform: Platform, failpoint: str, **told: Any) -> dict[str, Any]:
    """The delivery of a job whose first sender is killed at the failpoint, once a second one has sent it."""
    with Client(platform.forks.start(serves=True, run_notifier=False).url) as client:
        dying = platform.forks.start(partial(die_at, failpoint))
        assert dying.url is None, "it runs, and has published its job types"
        job = client.submit("test.effect", {"file": platform.effects}, **told)
        assert dying.end() == -SIGKILL
        [killed] = client.call(calls.job_deliveries(job["job_id"]))["items"]
        assert (killed["status"], killed["attempts"]) == ("SENDING", 1)
        run_aside(_end_leases(platform.database_url))
        living = platform.forks.start()
        until(lambda: client.call(calls.get_delivery(killed["delivery_id"]))["finished_at"], 60)
        [delivery] = client.call(calls.job_deliveries(job["job_id"]))["items"]
        living.close()
        return client.call(calls.get_delivery(delivery["delivery_id"]))


def _tries(delivery: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["verdict"], one["error_type"]) for one in delivery["tries"]]


def test_a_mail_server_sees_one_message_id_at_both_tries(platform, mail_server):
    mail = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
    delivery = _told_twice(platform, "mail server has it, not committed", **mail)
    assert (delivery["status"], delivery["attempts"]) == ("SENT", 2)
    assert _tries(delivery) == [("ambiguous", "sender_lost"), ("accepted", None)]
    first, second = (email.message_from_bytes(one.content) for one in mail_server.taken)
    assert first["message-id"] == second["message-id"] == f"<{delivery['delivery_id']}@shop.example>"
    assert first["x-delivery-id"] == second["x-delivery-id"] == delivery["delivery_id"]
    assert delivery["tries"][0]["started_at"] < delivery["tries"][1]["started_at"]


def test_a_receiver_sees_one_webhook_id_at_both_tries(platform, receiver):
    delivery = _told_twice(
        platform, "receiver has it, not committed", notifications={"webhook": {"url": f"{receiver.url}/hook"}}
    )
    assert (delivery["status"], delivery["attempts"]) == ("DELIVERED", 2)
    assert _tries(delivery) == [("ambiguous", "sender_lost"), ("delivered", None)]
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == delivery["delivery_id"]
    assert verified(first, SECRET) == verified(second, SECRET)
