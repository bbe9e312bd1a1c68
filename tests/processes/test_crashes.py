"""Guarantees under kill -9 and SIGTERM, with real processes."""

import pytest
from tests.installation import until
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.client import calls

pytestmark = pytest.mark.xdist_group("crashes")
QUICKLY = {"base_seconds": 0.05, "max_seconds": 0.1}
TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}


def running(client, job):
    return until(lambda: client.get(job["job_id"])["status"] == "RUNNING")


def events(client, job):
    return [one["event"] for one in client.call(calls.job_events(job["job_id"]))["items"]]


def test_a_job_whose_worker_is_killed_runs_again_and_ends(installation, client):
    first = installation.work()
    job = client.submit("demo.sleep", {"seconds": 30}, retry=QUICKLY, timeout_seconds=0.5, max_retries=1)
    running(client, job)
    first.kill()
    installation.work()
    ended = client.wait(job["job_id"], 60)
    assert ended["status"] == "FAILED"
    assert ended["error"]["reason"] == "timed_out", "the second attempt ran, to its own end"
    assert ended["attempt"] == 2
    assert events(client, job) == ["CREATED", "STARTED", "RETRY", "STARTED", "FAILURE"]


def test_a_killed_workers_last_attempt_is_worker_lost_and_is_told(installation, client):
    worker = installation.work()
    job = client.submit("demo.sleep", {"seconds": 30}, max_retries=0, **TOLD)
    running(client, job)
    worker.kill()
    ended = client.wait(job["job_id"], 60)
    assert (ended["status"], ended["error"]["reason"]) == ("FAILED", "worker_lost")
    [delivery] = until(lambda: client.call(calls.job_deliveries(job["job_id"]))["items"])
    assert delivery["event"] == "FAILURE"


def test_nothing_is_left_running_after_a_kill_under_load(installation, client):
    first, second = (installation.work(PERDURE_CONCURRENCY="4") for _ in range(2))
    jobs = [client.submit("demo.sleep", {"seconds": 0.3}, retry=QUICKLY) for _ in range(60)]
    until(lambda: client.call(calls.list_jobs(status=["RUNNING"]))["items"])
    first.kill()
    ended = [client.wait(job["job_id"], 60) for job in jobs]
    assert {job["status"] for job in ended} == {"SUCCEEDED"}
    assert second.stop() == 0


def test_sigterm_gives_work_back_without_using_up_an_attempt(installation, client):
    worker = installation.work(PERDURE_DRAIN_SECONDS="0")
    job = client.submit("demo.sleep", {"seconds": 30}, max_retries=0)
    running(client, job)
    assert worker.stop() == 0
    after = client.get(job["job_id"])
    assert (after["status"], after["attempt"]) == ("QUEUED", 0)


def test_sigterm_lets_short_work_finish(installation, client):
    worker = installation.work()
    job = client.submit("demo.sleep", {"seconds": 2})
    running(client, job)
    assert worker.stop() == 0
    assert client.get(job["job_id"])["status"] == "SUCCEEDED"


def test_a_job_accepted_before_the_server_was_killed_is_run_after(installation):
    from perdure.client.client import Client

    worker = installation.work()
    worker.kill()  # the types are published; nobody works
    server = installation.serve()
    with Client(server.ready["url"]) as client:
        job = client.submit("demo.sleep", {"seconds": 0})
    server.kill()
    installation.work()
    with Client(installation.serve().ready["url"]) as client:
        assert client.wait(job["job_id"], 60)["status"] == "SUCCEEDED"


def test_a_telling_survives_the_death_of_everybody(installation):
    from perdure.client.client import Client

    with MailtrapStandIn() as mailtrap:
        mailtrap.script(then="server_error")
        provider = {
            "MAILTRAP_API_KEY": "key",
            "MAILTRAP_INBOX_ID": "7",
            "MAILTRAP_API_HOST": mailtrap.url,
            "PERDURE_EMAIL_RETRY_SECONDS": "5,5,5,5,5",
        }
        server, worker = installation.serve(**provider), installation.work(**provider)
        with Client(server.ready["url"]) as client:
            job = client.wait(client.submit("demo.sleep", {"seconds": 0}, **TOLD)["job_id"], 60)
            until(lambda: client.call(calls.job_deliveries(job["job_id"]))["items"][0]["status"] == "RETRYING")
        server.kill()
        worker.kill()
        mailtrap.script(then="ok")
        with Client(installation.serve(**provider).ready["url"]) as client:
            delivery = until(
                lambda: [
                    one for one in client.call(calls.job_deliveries(job["job_id"]))["items"] if one["status"] == "SENT"
                ]
            )[0]
            tries = client.call(calls.get_delivery(delivery["delivery_id"]))["tries"]
    assert tries[-1]["verdict"] == "accepted"
    assert [one["number"] for one in tries] == list(range(1, len(tries) + 1)), "every try is on record"
    assert len({one.mail["custom_variables"]["delivery_id"] for one in mailtrap.received}) == 1
