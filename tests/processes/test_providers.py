"""Nothing that a provider does hurts a job: real processes, a stand-in that behaves as badly as servers do."""

import pytest
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.client import calls
from perdure.client.client import Client

TOLD = {"context": {"email": "ada@example.com"}, "notifications": {"email": {}}}
JOBS = 40


@pytest.mark.parametrize("behaviour", ["hang, drip_body, server_error, close", "refused"])
def test_jobs_end_as_they_would_without_notifications(installation, behaviour):
    with MailtrapStandIn() as mailtrap:
        mailtrap.script(*(["ok"] if behaviour == "refused" else behaviour.split(", ") * 100))
        host = mailtrap.url if behaviour != "refused" else "127.0.0.1:9"
        provider = {"MAILTRAP_API_KEY": "key", "MAILTRAP_INBOX_ID": "7", "MAILTRAP_API_HOST": host}
        installation.work(**provider)
        with Client(installation.serve(**provider).ready["url"]) as client:
            silent = [client.submit("demo.sleep", {"seconds": 0})["job_id"] for _ in range(JOBS)]
            told = [client.submit("demo.sleep", {"seconds": 0}, **TOLD)["job_id"] for _ in range(JOBS)]
            ended = {job_id: client.wait(job_id, 60) for job_id in (*silent, *told)}
            assert {job["status"] for job in ended.values()} == {"SUCCEEDED"}
            assert all(job["attempt"] == 1 for job in ended.values())
            [delivery] = client.call(calls.job_deliveries(told[0]))["items"]
            assert delivery["status"] in {"PENDING", "SENDING", "RETRYING", "FAILED"}, "the job did not wait for it"
            if behaviour != "refused":
                assert any(client.call(calls.job_deliveries(one))["items"][0]["status"] == "SENDING" for one in told)


def test_the_sandbox_is_the_only_host_that_hears_of_it(installation):
    """With the stand-in named, every request goes there, with the SDK's path and key; and after the job is final."""
    with MailtrapStandIn() as mailtrap:
        provider = {"MAILTRAP_API_KEY": "the-key", "MAILTRAP_INBOX_ID": "4242", "MAILTRAP_API_HOST": mailtrap.url}
        installation.work(**provider)
        with Client(installation.serve(**provider).ready["url"]) as client:
            job = client.wait(client.submit("demo.sleep", {"seconds": 0}, **TOLD)["job_id"], 60)
            mailtrap.wait_for(1)
    [request] = mailtrap.received
    assert (request.method, request.path) == ("POST", "/api/send/4242")
    assert request.headers.get("Authorization", request.headers.get("authorization")) == "Bearer the-key"
    assert request.mail["to"] == [{"email": "ada@example.com"}]
    assert job["job_id"] in request.mail["text"]
    assert job["status"] == "SUCCEEDED"
