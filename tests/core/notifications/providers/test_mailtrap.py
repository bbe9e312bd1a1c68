import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import mailtrap as sdk  # type: ignore[import-untyped]
import pytest
import trustme
from tests.core.notifications.jobs import a_message, ended_job
from tests.stand_in.mailtrap_server import MailtrapStandIn

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import Message, Recipients, Skip
from perdure.core.notifications.providers.mailtrap import MailtrapConfiguration, MailtrapEmailProvider
from perdure.models.delivery import Attempt, SkipReason, Verdict
from perdure.outbound.http_send import HttpSender

KEY = "f00dcafef00dcafe"
DEADLINE = 0.5
"""For servers that never finish; the others may take their time on a busy machine."""
LATEST = 3.0
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


A, T, Q, M, P = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED, Verdict.PERMANENT


@pytest.mark.parametrize(
    ("behaviour", "verdict", "status_code", "error_type", "retry_after"),
    [
        ("ok", A, 200, None, None),
        ("ok_with_more", A, 200, None, None),
        ("ok_unstorable_id", A, 200, None, None),
        ("html", Q, 200, "unproven", None),
        ("empty", Q, 200, "unproven", None),
        ("rubbish", Q, 200, "unproven", None),
        ("deep", Q, 200, "unproven", None),
        ("null", Q, 200, "unproven", None),
        ("no_ids", Q, 200, "unproven", None),
        ("huge", Q, 200, "unproven", None),
        ("half_a_body", Q, 200, "unproven", None),
        ("success_false", P, 200, "message_refused", None),
        ("success_false_no_reason", T, 200, "refused_without_reason", None),
        ("redirect_to_page", M, 302, "redirected", None),
        ("redirect_loop", M, 302, "redirected", None),
        ("redirect_307", M, 307, "redirected", None),
        ("bad_request", P, 400, "message_refused", None),
        ("unauthorized", M, 401, "not_permitted", None),
        ("unauthorized_empty", M, 401, "not_permitted", None),
        ("payment_required", M, 402, "not_permitted", None),
        ("forbidden", M, 403, "not_permitted", None),
        ("not_found", M, 404, "wrong_address", None),
        ("request_timeout", T, 408, "try_later", None),
        ("too_large", P, 413, "message_refused", None),
        ("unprocessable", P, 422, "message_refused", None),
        ("too_many_requests", T, 429, "rate_limited", None),
        ("too_many_requests_seconds", T, 429, "rate_limited", 7),
        ("server_error", T, 500, "server_error", None),
        ("server_error_null", T, 500, "server_error", None),
        ("server_error_number", T, 500, "server_error", None),
        ("server_error_list", T, 500, "server_error", None),
        ("huge_error", T, 500, "server_error", None),
        ("bad_gateway_html", T, 502, "server_error", None),
        ("unavailable_empty", T, 503, "server_error", 2),
        ("close", Q, None, "connection_lost", None),
        ("not_http", Q, None, "connection_lost", None),
        ("hang", Q, None, "deadline", None),
        ("drip_headers", Q, None, "deadline", None),
        ("drip_body", Q, 200, "unproven", None),
    ],
)
async def test_every_behaviour_of_a_server_has_its_verdict(
    stand_in, behaviour, verdict, status_code, error_type, retry_after
):
    stand_in.script(behaviour)
    endless = behaviour in ("hang", "drip_headers", "drip_body")
    provider = provider_at(stand_in.url, deadline_seconds=DEADLINE if endless else 10)
    started = time.monotonic()
    attempt = await provider.send(MESSAGE)
    assert time.monotonic() - started < LATEST
    await provider.aclose()
    assert (attempt.verdict, attempt.status_code, attempt.error_type) == (verdict, status_code, error_type)
    assert attempt.retry_after_seconds == retry_after
    assert (attempt.provider_message_id is not None) == (verdict is A)
    assert (attempt.message is None) == (verdict is A)
    assert_storable(attempt)
    assert len(stand_in.received) == 1, "never retried, no redirect followed"


def assert_storable(attempt: Attempt) -> None:
    for text, limit in [
        (attempt.message, 500),
        (attempt.response_excerpt, 512),
        (attempt.provider_message_id, 200),
        (attempt.error_type, 50),
    ]:
        if text is not None:
            assert len(text) <= limit
            assert "\x00" not in text
            text.encode()


async def test_retry_after_may_be_a_date(stand_in, provider):
    stand_in.script("too_many_requests_date")
    attempt = await provider.send(MESSAGE)
    assert attempt.verdict is T
    assert attempt.retry_after_seconds is not None
    assert attempt.retry_after_seconds > 365 * 86_400


async def test_the_reasons_given_are_told(stand_in, provider):
    stand_in.script("bad_request", "forbidden", "unauthorized")
    refused, forbidden, unauthorized = [(await provider.send(MESSAGE)).message for _ in range(3)]
    assert "'subject' is required" in refused
    assert "from: domain is not verified" in forbidden
    assert "MAILTRAP_API_KEY" in unauthorized


async def test_neither_key_nor_address_comes_back_from_a_server_that_repeats_them(stand_in, provider):
    stand_in.script("echo")
    attempt = await provider.send(MESSAGE)
    assert attempt.verdict is M
    assert KEY not in repr(attempt)
    assert "eader@" not in repr(attempt)


async def test_nobody_listens():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refuses connections, and nobody else gets the port
        provider = provider_at(f"127.0.0.1:{reserved.getsockname()[1]}")
        attempt = await provider.send(MESSAGE)
        await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (T, "connect_failed")


async def test_the_name_cannot_be_resolved(monkeypatch):
    async def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    provider = provider_at("https://mail.example")
    attempt = await provider.send(MESSAGE)
    await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (T, "dns_failed")


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


async def test_a_certificate_that_is_not_trusted_is_a_matter_of_the_set_up(secure_stand_in):
    provider = provider_at(secure_stand_in.url)
    attempt = await provider.send(MESSAGE)
    await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (M, "certificate_refused")
    assert secure_stand_in.received == []


async def test_a_server_that_speaks_no_tls(stand_in):
    provider = provider_at(f"https://{stand_in.host}")
    attempt = await provider.send(MESSAGE)
    await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (T, "tls_failed")


async def test_a_hang_over_tls_ends_at_the_deadline_too(secure_stand_in, trusted):
    secure_stand_in.script("hang")
    provider = provider_at(secure_stand_in.url, deadline_seconds=DEADLINE)
    started = time.monotonic()
    attempt = await provider.send(MESSAGE)
    assert time.monotonic() - started < LATEST
    await provider.aclose()
    assert (attempt.verdict, attempt.error_type) == (Q, "deadline")


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
    provider = MailtrapEmailProvider(configuration, HttpSender(DEADLINE, transport))
    assert (await provider.send(MESSAGE)).verdict is A
    assert transport.hosts == [host]


@pytest.mark.parametrize("settings", [{"api_key": None}, {"inbox_id": None}])
async def test_without_its_settings_nothing_is_called(stand_in, settings):
    provider = provider_at(stand_in.url, **settings)
    assert provider.missing_settings()
    attempt = await provider.send(MESSAGE)
    assert (attempt.verdict, attempt.error_type) == (M, "not_configured")
    assert stand_in.received == []


async def test_a_mail_that_cannot_be_built_is_a_value(stand_in, provider):
    broken = Message(**{name: getattr(MESSAGE, name) for name in Message.__slots__} | {"subject": object()})
    attempt = await provider.send(broken)
    assert (attempt.verdict, attempt.error_type) == (P, "invalid_message")
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


async def test_a_cancellation_passes(stand_in):
    stand_in.script("hang")
    provider = provider_at(stand_in.url, deadline_seconds=30)
    task = asyncio.create_task(provider.send(MESSAGE))
    await asyncio.to_thread(stand_in.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await provider.aclose()


@pytest.mark.parametrize(
    ("notifications", "context", "event", "expected"),
    [
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.SUCCESS, Recipients(("a@example.com",))),
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.FAILURE, Recipients(("a@example.com",))),
        ({"email": {"enabled": None, "on": None}}, {"email": "a@b.test"}, JobEvent.SUCCESS, Recipients(("a@b.test",))),
        ({"email": {"on": ["FAILURE"] * 3}}, {"email": "a@b.test"}, JobEvent.FAILURE, Recipients(("a@b.test",))),
        ({"email": {"enabled": False, "on": []}}, None, JobEvent.SUCCESS, Skip(SkipReason.CHANNEL_DISABLED)),
        ({"email": {"on": []}}, None, JobEvent.SUCCESS, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {"on": ["SUCCESS"]}}, {"email": 5}, JobEvent.FAILURE, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {}}, {"email": "a@example.com"}, JobEvent.CANCELLED, Skip(SkipReason.EVENT_NOT_SELECTED)),
        ({"email": {}}, None, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {}, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {"email": None}, JobEvent.SUCCESS, Skip(SkipReason.NO_RECIPIENT)),
        ({"email": {}}, {"email": 5}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
        ({"email": {}}, {"email": ""}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
        ({"email": {}}, {"email": "nobody"}, JobEvent.SUCCESS, Skip(SkipReason.INVALID_RECIPIENT)),
    ],
)
def test_who_is_told_and_why_not(notifications, context, event, expected):
    provider = MailtrapEmailProvider(MailtrapConfiguration())
    assert provider.evaluate(ended_job(notifications=notifications, context=context), event) == expected


def test_a_stand_in_is_told_from_mailtrap_in_the_audit():
    assert MailtrapEmailProvider(MailtrapConfiguration()).name == "mailtrap"
    assert MailtrapEmailProvider(MailtrapConfiguration(label="local inbox")).name == "mailtrap (local inbox)"
