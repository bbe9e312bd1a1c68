"""What the doctor says of Mailtrap, from what Mailtrap's account API answers."""

import time

import pytest
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.core.notifications.providers import mailtrap_check
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.models.finding import Level

KEY = "f00dcafef00dcafe"
ACCOUNTS = (200, [{"id": 7, "name": "canary", "access_levels": [100]}, {"id": 8}])
OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


async def check(**settings):
    provider = MailtrapEmailProvider(
        MailtrapConfiguration(**{"api_key": KEY, "inbox_id": "42", "from_email": "canary@shop.example"} | settings)
    )
    found = await provider.check()
    said = " ".join(f"{one.found} {one.advice}" for one in found)
    assert KEY not in said
    assert "canary" not in said
    return found


@pytest.fixture
def stand_in():
    with MailtrapStandIn() as server:
        yield server


async def test_without_settings_nobody_is_asked(stand_in):
    [found] = await check(api_key=None, inbox_id=None, api_host=stand_in.url)
    assert found.level is WARN
    assert "MAILTRAP_API_KEY, MAILTRAP_INBOX_ID" in found.found
    assert stand_in.received == []


@pytest.mark.parametrize(
    ("pages", "levels"),
    [
        ({"": (401, {"error": "Incorrect API token"})}, [OK, FAIL]),
        ({"": (403, {"errors": "Access forbidden"})}, [OK, WARN]),
        ({"": (200, {"success": True})}, [OK, WARN]),
        ({"": (200, [])}, [OK, WARN]),
        ({"": ACCOUNTS, "/7/inboxes/42": (404, {}), "/8/inboxes/42": (200, {"id": 42})}, [OK, OK, OK]),
        ({"": ACCOUNTS, "/7/inboxes/42": (404, {}), "/8/inboxes/42": (404, {})}, [OK, OK, FAIL]),
        ({"": ACCOUNTS, "/7/inboxes/42": (403, {}), "/8/inboxes/42": (404, {})}, [OK, OK, WARN]),
    ],
)
async def test_the_sandbox(stand_in, pages, levels):
    stand_in.pages = {f"/api/accounts{path}": page for path, page in pages.items()}
    found = await check(api_host=stand_in.url)
    assert [one.level for one in found] == levels
    assert all(one.advice for one in found if one.level is not OK)
    assert {request.headers["authorization"] for request in stand_in.received} == {f"Bearer {KEY}"}
    assert {request.method for request in stand_in.received} == {"GET"}, "nothing is sent"


@pytest.mark.parametrize(("account_id", "levels"), [("8", [OK, OK, OK]), ("9", [OK, OK, WARN, OK])])
async def test_an_account_that_is_not_the_tokens_is_told(stand_in, account_id, levels):
    stand_in.pages = {f"/api/accounts{path}": page for path, page in {"": ACCOUNTS, "/7/inboxes/42": (200, {})}.items()}
    found = await check(api_host=stand_in.url, account_id=account_id)
    assert [one.level for one in found] == levels
    assert all("7 or 8" in one.advice for one in found if one.level is WARN)


def domains(*statuses):
    return 200, {"data": [{"domain_name": "shop.example", "compliance_status": status} for status in statuses]}


@pytest.mark.parametrize(
    ("answers", "levels"),
    [
        ((domains("compliant"), domains()), [OK, OK, OK]),
        ((domains("unverified_dns"), domains()), [OK, OK, FAIL]),
        ((domains(), domains()), [OK, OK, FAIL]),
        (((403, {}), domains()), [OK, OK, WARN]),
        (((403, {}), domains("compliant")), [OK, OK, OK]),
    ],
)
async def test_production(stand_in, answers, levels):
    stand_in.pages = {"/api/accounts": ACCOUNTS} | {
        f"/api/accounts/{account}/sending_domains": answer for account, answer in zip((7, 8), answers, strict=True)
    }
    found = await check(api_host=stand_in.url, use_sandbox=False)
    assert [one.level for one in found] == levels
    assert found[0].found.startswith("production")


def records(**statuses):
    return [{"key": key, "domain": "shop.example", "type": "TXT", "status": status} for key, status in statuses.items()]


@pytest.mark.parametrize(
    ("domain", "level", "said"),
    [
        ({"dns_records": records(spf="pass", dkim1="pass")}, OK, "all 2 DNS records"),
        (
            {"dns_records": records(spf="pass", dkim1="missing", dmarc="invalid")},
            WARN,
            "dkim1 (missing), dmarc (invalid)",
        ),
        ({"dns_records": records(spf="missing"), "compliance_status": "unverified_dns"}, WARN, "spf (missing)"),
    ],
)
async def test_dns_records_that_mailtrap_does_not_find_are_named(stand_in, domain, level, said):
    told = {"domain_name": "Shop.example", "compliance_status": "compliant"} | domain
    stand_in.pages = {
        "/api/accounts": (200, [{"id": 7}]),
        "/api/accounts/7/sending_domains": (200, {"data": [told]}),
    }
    *_, last = await check(api_host=stand_in.url, use_sandbox=False)
    assert (last.level, said in last.found) == (level, True), last.found
    assert bool(last.advice) is (level is not OK)


@pytest.mark.parametrize("rubbish", [None, 7, {}, ["x"], [None], [{"key": 7}], [{}]])
async def test_records_that_are_none_are_no_finding(stand_in, rubbish):
    told = {"domain_name": "shop.example", "compliance_status": "compliant", "dns_records": rubbish}
    stand_in.pages = {
        "/api/accounts": (200, [{"id": 7}]),
        "/api/accounts/7/sending_domains": (200, {"data": [told]}),
    }
    assert [one.level for one in await check(api_host=stand_in.url, use_sandbox=False)] == [OK, OK, OK]


async def test_a_domain_that_may_not_send_comes_with_what_to_do(stand_in):
    advice = set()
    for status in ("unverified_dns", "missing_company_info", "under_review", "suspended", "new_word"):
        stand_in.pages = {"/api/accounts": (200, [{"id": 7}]), "/api/accounts/7/sending_domains": domains(status)}
        *_, last = await check(api_host=stand_in.url, use_sandbox=False)
        assert (last.level, status in last.found) == (FAIL, True)
        advice.add(last.advice)
    assert len(advice) == 5


async def test_the_demo_domain_mails_its_owner_only(stand_in):
    first, *_ = await check(api_host=stand_in.url, use_sandbox=False, from_email="hello@demomailtrap.co")
    assert first.level is WARN
    assert "owner only" in first.found


@pytest.mark.parametrize("behaviour", ["hang", "drip_body", "close", "huge", "server_error_null", "deep", "rubbish"])
async def test_whatever_the_other_side_does_is_a_warning_in_time(stand_in, behaviour, monkeypatch):
    monkeypatch.setattr(mailtrap_check, "REQUEST_SECONDS", 0.5)
    stand_in.script(then=behaviour)
    started = time.monotonic()
    assert [one.level for one in await check(api_host=stand_in.url)] == [OK, WARN]
    assert time.monotonic() - started < 3


async def test_no_network_is_a_warning():
    assert [one.level for one in await check(api_host="http://127.0.0.1:9")] == [OK, WARN]


@pytest.mark.parametrize(
    ("api_host", "url"),
    [
        (None, "https://mailtrap.io"),
        ("sandbox.api.mailtrap.io", "https://mailtrap.io"),
        ("127.0.0.1:9999", "http://127.0.0.1:9999"),
        ("https://gateway.example/mailtrap", "https://gateway.example/mailtrap"),
    ],
)
def test_where_the_account_is_asked_about(api_host, url):
    assert MailtrapConfiguration(api_host=api_host).account_url == url
