"""The three minutes of a new user: two variables, a job, a mail; then production by one more, told what is missing."""

import json
import re
from pathlib import Path

import httpx2
import pytest
from tests.installation import until
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.bootstrap import examine
from perdure.settings import Settings

pytestmark = pytest.mark.xdist_group("cli")

README = (Path(__file__).parents[2] / "README.md").read_text()
JOB = json.loads(re.search(r"/v1/jobs -H 'content-type: application/json' -d '(\{.*?\})'\n```", README, re.DOTALL)[1])
KEY = "s3cret-canary"
SANDBOX = {"MAILTRAP_API_KEY": KEY, "MAILTRAP_INBOX_ID": "42"}
CHECKS = ("mailtrap", "mail_feedback", "unsubscribing")
SIGNED = {"PERDURE_PUBLIC_URL": "https://jobs.example.com", "PERDURE_SECRET": "a secret of some length"}
PRODUCTION = {"MAILTRAP_USE_SANDBOX": "false"}
OWN_SENDER = {"MAIL_FROM_EMAIL": "jobs@shop.example"}


@pytest.fixture
def mailtrap():
    with MailtrapStandIn() as server:
        server.open_account("42", {"demomailtrap.co": "demo", "shop.example": "compliant"}, KEY)
        yield server


def told_by_mail(installation, mailtrap, **environment: str):
    """The README's job, posted to a platform of its own: the request by which its mail left, and its delivery."""
    before = len(mailtrap.received)
    platform = installation.start("dev", "--port", "0", MAILTRAP_API_HOST=mailtrap.url, **environment)
    url = platform.ready["url"]
    job = httpx2.post(f"{url}/v1/jobs", json=JOB).raise_for_status().json()
    request = mailtrap.wait_for(before + 1)[before]

    def sent():
        [delivery] = httpx2.get(f"{url}/v1/jobs/{job['job_id']}/deliveries").json()["items"]
        return delivery if delivery["status"] == "SENT" else None

    delivery = until(sent)
    assert platform.stop() == 0
    return request, delivery


def test_two_variables_and_the_mail_is_there_then_one_more_and_it_is_real(installation, mailtrap):
    sandbox, delivery = told_by_mail(installation, mailtrap, **SANDBOX)
    assert sandbox.path == "/api/send/42"
    assert sandbox.mail["to"] == [{"email": JOB["context"]["email"]}]
    assert sandbox.mail["custom_variables"]["delivery_id"] == delivery["delivery_id"]
    assert "sandbox inbox" in delivery["explanation"]
    production, _ = told_by_mail(installation, mailtrap, **SANDBOX, **PRODUCTION)
    assert production.path == "/api/send"


async def test_the_doctor_tells_what_production_lacks_until_nothing_is(mailtrap, tmp_path):
    async def said(**environment: str) -> dict[str, str]:
        """What it says of mails, with what to do: by how bad it is."""
        nowhere = {"MAILTRAP_API_HOST": mailtrap.url, "PERDURE_DATABASE_URL": "postgresql://127.0.0.1:9/none"}
        settings = Settings.read(environment=nowhere | environment, data_dir=tmp_path)
        told: dict[str, str] = {}
        for check, finding in await examine(settings):
            if check in CHECKS:
                told[finding.level] = f"{told.get(finding.level, '')} {finding.found} {finding.advice}"
        assert not any(KEY in text or "jobs@" in text for text in told.values())
        return told

    assert "does not know the token" in (await said(**SANDBOX | {"MAILTRAP_API_KEY": "other"}))["fail"]
    assert (await said(**SANDBOX)).keys() == {"ok"}
    demo = await said(**SANDBOX, **PRODUCTION)
    assert demo.keys() == {"ok", "warn"}
    assert "of Mailtrap's demo domain: it mails the account's owner only" in demo["warn"]
    assert "/v1/feedback/mailtrap" in demo["warn"]
    assert "no way to unsubscribe" in demo["warn"]
    mailtrap.open_account("42", {"shop.example": "unverified_dns"}, KEY)
    unverified = await said(**SANDBOX, **PRODUCTION, **OWN_SENDER)
    assert "'unverified_dns'" in unverified["fail"]
    assert "spf (missing), dkim1 (missing), dmarc (missing)" in unverified["warn"]
    mailtrap.open_account("42", {"shop.example": "compliant"}, KEY)
    ready = await said(**SANDBOX, **PRODUCTION, **OWN_SENDER, MAILTRAP_WEBHOOK_SECRET="s", **SIGNED)
    assert ready.keys() == {"ok"}
    assert "finds all 3 DNS records" in ready["ok"]
