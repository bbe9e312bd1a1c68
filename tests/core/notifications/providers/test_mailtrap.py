import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import mailtrap as sdk  # type: ignore[import-untyped]
import pytest
import trustme
from tests.core.notifications.jobs import a_message
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.core.notifications.providers.base import Message
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.models.delivery import Verdict
from perdure.outbound.http_send import HttpSender

KEY = "f00dcafef00dcafe"
MESSAGE = a_message(text="It went well.\n", html="<p>It went well: ü €</p>")


def provider_at(host: str | None, **settings: Any) -> MailtrapEmailProvider:
    defaults: dict[str, Any] = {"api_key": KEY, "inbox_id": "42", "deadline_seconds": 10}
    return MailtrapEmailProvider(MailtrapConfiguration(api_host=host, **defaults | settings))


@pytest.fixture
def stand_in() -> Iterator[MailtrapStandIn]:
    with MailtrapStandIn() as server:
        yield server


@pytest.fixture
async def provider(stand_in) -> AsyncIterator[MailtrapEmailProvider]:
    provider = provider_at(stand_in.url)
    yield provider
    await provider.aclose()


A, T, Q, P = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.PERMANENT


@pytest.mark.parametrize(
    ("behaviour", "verdict", "error_type"),
    [
        ("ok", A, None),
        ("ok_with_more", A, None),
        ("ok_unstorable_id", A, None),
        ("no_ids", Q, "unproven"),
        ("success_false", P, "message_refused"),
        ("success_false_no_reason", T, "refused_without_reason"),
    ],
)
async def test_a_mail_was_taken_when_the_answer_says_so_and_names_it(
    stand_in, provider, behaviour, verdict, error_type
):
    stand_in.script(behaviour)
    attempt = await provider.send(MESSAGE)
    assert (attempt.verdict, attempt.status_code, attempt.error_type) == (verdict, 200, error_type)
    assert (attempt.provider_message_id is not None) == (verdict is A)
    (attempt.provider_message_id or "").encode()
    assert (attempt.message is None) == (verdict is A)


async def test_the_reasons_given_are_told(stand_in, provider):
    stand_in.script("bad_request", "forbidden", "unauthorized")
    refused, forbidden, unauthorized = [(await provider.send(MESSAGE)).message for _ in range(3)]
    assert "'subject' is required" in refused
    assert "from: domain is not verified" in forbidden
    assert "MAILTRAP_API_KEY" in unauthorized


@pytest.mark.parametrize(
    ("behaviour", "verdict", "error_type"),
    [
        ("plan_used_up", Verdict.MISCONFIGURED, "plan_used_up"),
        ("too_fast", T, "rate_limited"),
        ("too_many_requests", T, "rate_limited"),
        ("too_many_requests_date", T, "rate_limited"),
    ],
)
async def test_a_plan_that_is_used_up_is_told_from_too_many_at_a_time(
    stand_in, provider, behaviour, verdict, error_type
):
    stand_in.script(behaviour)
    attempt = await provider.send(MESSAGE)
    assert (attempt.verdict, attempt.status_code, attempt.error_type) == (verdict, 429, error_type)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_stand_in(authority) -> Iterator[MailtrapStandIn]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with MailtrapStandIn(tls=context) as server:
        yield server


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.mark.parametrize("use_sandbox", [True, False])
async def test_the_wire_is_the_same_as_the_sdk_s(secure_stand_in, trusted, use_sandbox):
    provider = provider_at(secure_stand_in.url, use_sandbox=use_sandbox, deadline_seconds=10)
    attempt = await provider.send(MESSAGE)
    await provider.aclose()
    assert attempt.verdict is A

    mail = sdk.Mail(
        sender=sdk.Address(email="hello@demomailtrap.co", name="Resilient Job Platform"),
        to=[sdk.Address(email=MESSAGE.recipient)],
        subject=MESSAGE.subject,
        text=MESSAGE.text,
        html=MESSAGE.html,
        category="job.success",
        headers={"X-Delivery-Id": str(MESSAGE.delivery_id), "Auto-Submitted": "auto-generated"},
        custom_variables={"delivery_id": str(MESSAGE.delivery_id), "job_id": str(MESSAGE.job_id)},
    )
    client = sdk.MailtrapClient(
        token=KEY,
        sandbox=use_sandbox,
        inbox_id="42" if use_sandbox else None,
        api_host=secure_stand_in.host,
    )
    await asyncio.to_thread(_send_and_close, client, mail)

    ours, theirs = secure_stand_in.received
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
    for header in ("authorization", "content-type"):
        assert ours.headers[header] == theirs.headers[header]


def _send_and_close(client: sdk.MailtrapClient, mail: sdk.Mail) -> None:
    """The SDK leaves its sessions open; a test must not."""
    api = client.sending_api
    api.send(mail)
    api._client._session.close()


class Recording(httpx2.AsyncBaseTransport):
    def __init__(self) -> None:
        self.hosts: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.append(request.url.host)
        body = httpx2.ByteStream(b'{"success": true, "message_ids": ["1"]}')
        return httpx2.Response(200, stream=body)


@pytest.mark.parametrize(
    ("settings", "host"),
    [({}, "sandbox.api.mailtrap.io"), ({"use_sandbox": False}, "send.api.mailtrap.io")],
)
async def test_only_the_host_of_the_mode_is_ever_called(settings, host):
    transport = Recording()
    configuration = MailtrapConfiguration(api_key=KEY, inbox_id="42", **settings)
    provider = MailtrapEmailProvider(configuration, HttpSender(10, transport))
    assert (await provider.send(MESSAGE)).verdict is A
    assert transport.hosts == [host]


@pytest.mark.parametrize("settings", [{"api_key": None}, {"inbox_id": None}])
async def test_without_its_settings_nothing_is_called(stand_in, settings):
    provider = provider_at(stand_in.url, **settings)
    assert provider.missing_settings()
    attempt = await provider.send(MESSAGE)
    assert (attempt.verdict, attempt.error_type) == (Verdict.MISCONFIGURED, "not_configured")
    assert stand_in.received == []


async def test_an_empty_html_part_is_left_out(stand_in, provider):
    plain = Message(**{name: getattr(MESSAGE, name) for name in Message.__slots__} | {"html": None})
    assert (await provider.send(plain)).verdict is A
    assert "html" not in stand_in.received[0].mail


async def test_a_hostile_text_stays_inside_its_json_value(stand_in, provider):
    hostile = 'x"}], "to": [{"email": "other@example.com"}]\r\nBcc: other@example.com\x00\u2028\ud800'
    message = Message(**{name: getattr(MESSAGE, name) for name in Message.__slots__} | {"text": hostile})
    assert (await provider.send(message)).verdict is A
    [received] = stand_in.received
    assert json.loads(received.body)["text"] == hostile
    assert json.loads(received.body)["to"] == [{"email": "reader@example.com"}]


def test_a_stand_in_is_told_from_mailtrap_in_the_audit():
    assert MailtrapEmailProvider(MailtrapConfiguration()).name == "mailtrap"
    assert MailtrapEmailProvider(MailtrapConfiguration(label="local inbox")).name == "mailtrap (local inbox)"
