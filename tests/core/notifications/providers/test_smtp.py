"""Mails by SMTP: against a real mail server, and against one that does at each step whatever a server may do."""

import asyncio
import email
import email.policy
import socket
import ssl
import time
from dataclasses import replace
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.notifications.jobs import a_message
from tests.stand_in.smtp_server import mail_server, scripted_server

from perdure.core.notifications.facts import one_line
from perdure.core.notifications.providers import smtp_send
from perdure.core.notifications.providers.smtp import SmtpConfiguration, SmtpEmailProvider, _mail
from perdure.models.delivery import Attempt, Verdict
from perdure.models.finding import Level

DEADLINE = 0.25
"""For servers that never finish."""
PASSWORD = "s3cr3t-canary"
USER = "robot@shop.example"
URL_LOGIN = f"robot%40shop.example:{PASSWORD}@"
MESSAGE = a_message(text="It went well.\nü €\n.\n" + "long " * 500 + "\n", html="<p>It went well: ü €</p>")


def provider_at(port: int, login: str = "", scheme: str = "smtp", query: str = "", **changes: Any) -> SmtpEmailProvider:
    defaults: dict[str, Any] = {"from_email": "jobs@shop.example", "from_name": "Läden & Co", "deadline_seconds": 10}
    url = f"{scheme}://{login}127.0.0.1:{port}{query}"
    return SmtpEmailProvider(SmtpConfiguration(url=url, **defaults | changes))


A, T, Q, M, P = Verdict.ACCEPTED, Verdict.TRANSIENT, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED, Verdict.PERMANENT


def assert_keepable(attempt: Attempt) -> None:
    said = f"{attempt.message} {attempt.response_excerpt}"
    assert len(attempt.message or "") <= 500
    assert len(attempt.response_excerpt or "") <= 512
    assert PASSWORD not in said
    assert "reader@" not in said
    said.encode()


@pytest.mark.parametrize(
    ("script", "verdict", "status_code", "error_type", "mails"),
    [
        ({}, A, 250, None, 1),
        ({"quit": None}, A, 250, None, 1),
        ({"quit": ""}, A, 250, None, 1),
        ({"rcpt": "251 will forward"}, A, 250, None, 1),
        ({"ehlo": "500 what?", "helo": None}, T, None, "deadline", 0),
        ({"greeting": "421 busy"}, T, 421, "try_later", 0),
        ({"greeting": "554 not you"}, M, 554, "not_permitted", 0),
        ({"greeting": "HTTP/1.1 400 Bad Request"}, T, None, "unintelligible", 0),
        ({"greeting": ""}, T, None, "connection_lost", 0),
        ({"greeting": None}, T, None, "deadline", 0),
        ({"greeting": "…"}, T, None, "deadline", 0),
        ({"ehlo": ""}, T, None, "connection_lost", 0),
        ({"ehlo": "250 mail.example"}, M, None, "login_not_offered", 0),
        ({"ehlo": "250-mail.example\r\n250 AUTH GSSAPI"}, M, None, "login_not_offered", 0),
        ({"auth": f"535 no: {USER} {PASSWORD}"}, M, 535, "not_permitted", 0),
        ({"auth": "454 later"}, T, 454, "try_later", 0),
        ({"mail": "550 5.7.1 not your address"}, M, 550, "sender_refused", 0),
        ({"mail": "451 later"}, T, 451, "try_later", 0),
        ({"mail": None}, T, None, "deadline", 0),
        ({"rcpt": "550 5.1.1 <reader@example.com> unknown"}, P, 550, "recipient_refused", 0),
        ({"rcpt": "450 4.2.0 greylisted"}, T, 450, "try_later", 0),
        ({"rcpt": "554 5.7.1 <reader@example.com>: Relay access denied"}, M, 554, "not_permitted", 0),
        ({"rcpt": "530 5.7.0 authenticate first"}, M, 530, "not_permitted", 0),
        ({"rcpt": ""}, T, None, "connection_lost", 0),
        ({"rcpt": "250-a\r\n" * 40_000}, T, None, "unintelligible", 0),
        ({"rcpt": "550 5.7.0 Requested action not taken: too many emails per second"}, T, 550, "rate_limited", 0),
        ({"rcpt": "550 5.7.0 The email limit is reached. Please upgrade your plan"}, M, 550, "plan_used_up", 0),
        ({"rcpt": "552 5.2.2 The mailbox is over its quota"}, P, 552, "recipient_refused", 0),
        ({"data": "451 later"}, T, 451, "try_later", 0),
        ({"data": "554 no"}, P, 554, "message_refused", 0),
        ({"data": ""}, Q, None, "connection_lost", 0),
        ({"content": "552 too large"}, P, 552, "message_refused", 1),
        ({"content": "451 later"}, T, 451, "try_later", 1),
        ({"content": "421 going down"}, T, 421, "try_later", 1),
        ({"content": "perhaps"}, Q, None, "unproven", 1),
        ({"content": "299 perhaps"}, Q, 299, "unproven", 1),
        ({"content": "250 " + "x" * 200_000}, Q, None, "unproven", 1),
        ({"content": ""}, Q, None, "connection_lost", 1),
        ({"content": None}, Q, None, "deadline", 1),
        ({"content": "…"}, Q, None, "deadline", 1),
    ],
)
async def test_every_behaviour_of_a_server_has_its_verdict(script, verdict, status_code, error_type, mails):
    endless = error_type == "deadline"
    async with scripted_server(**script) as server:
        provider = provider_at(server.port, URL_LOGIN, deadline_seconds=DEADLINE if endless else 10)
        started = time.monotonic()
        attempt = await provider.send(MESSAGE)
        assert time.monotonic() - started < 3
        assert (attempt.verdict, attempt.status_code, attempt.error_type) == (verdict, status_code, error_type)
        assert server.mails == mails, "never retried"
    assert (attempt.message is None) == (verdict is A)
    assert_keepable(attempt)


@pytest.fixture(autouse=True)
def short_leave(monkeypatch) -> None:
    monkeypatch.setattr(smtp_send, "QUIT_SECONDS", 0.1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


def read(content: bytes) -> Any:
    return email.message_from_bytes(content, policy=email.policy.default)


async def test_a_real_mail_server_takes_the_mail_whole(trusted, tls):
    async with mail_server(login=(USER, PASSWORD), starttls=tls) as server:
        provider = provider_at(server.port, URL_LOGIN, query="?starttls=required")
        first, second = [await provider.send(MESSAGE) for _ in range(2)]
    assert (first.verdict, first.provider_message_id) == (A, "4XyZ1")
    assert server.encrypted == [True, True]
    assert server.names == ["shop.example"] * 2
    taken = server.taken[0]
    assert (taken.mail_from, taken.rcpt_tos) == ("jobs@shop.example", ["reader@example.com"])
    mail = read(taken.content)
    assert mail["from"] == "Läden & Co <jobs@shop.example>"
    assert (mail["to"], mail["subject"]) == ("reader@example.com", MESSAGE.subject)
    assert mail["message-id"] == f"<{MESSAGE.delivery_id}@shop.example>"
    assert (mail["x-delivery-id"], mail["auto-submitted"]) == (str(MESSAGE.delivery_id), "auto-generated")
    assert mail["date"].datetime.tzinfo is not None
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == MESSAGE.text
    assert mail.get_body(("html",)).get_content().strip() == MESSAGE.html
    assert all(len(line) <= 998 for line in taken.content.splitlines())
    taken.content.decode("ascii")
    assert second.verdict is A
    assert read(server.taken[1].content)["message-id"] == mail["message-id"], "so that a copy is known as one"


async def test_a_mail_offers_to_send_no_more_of_its_kind():
    url = "https://jobs.example/unsubscribe/token"
    async with mail_server() as server:
        await provider_at(server.port).send(replace(MESSAGE, unsubscribe_url=url))
    mail = read(server.taken[0].content)
    assert mail["list-unsubscribe"] == f"<{url}>"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"


def test_a_long_link_stays_a_link():
    """Mail programs seek it between < and >, and read no encoded words there."""
    url = "https://jobs.a-rather-long-name.example/v1/unsubscribe/" + "x" * 43
    content = _mail(provider_at(25)._configuration, "reader@example.com", replace(MESSAGE, unsubscribe_url=url))
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in content


async def test_tls_from_the_start(trusted, tls):
    async with mail_server(tls=tls) as server:
        assert (await provider_at(server.port, scheme="smtps").send(MESSAGE)).verdict is A
    assert server.taken


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_is_not_trusted_is_a_matter_of_the_set_up(tls, scheme):
    query = "?starttls=required" if scheme == "smtp" else ""
    async with mail_server(**{"starttls" if scheme == "smtp" else "tls": tls}) as server:
        attempt = await provider_at(server.port, scheme=scheme, query=query).send(MESSAGE)
    assert (attempt.verdict, attempt.error_type) == (M, "certificate_refused")
    assert server.taken == []


async def test_without_the_encryption_that_is_asked_for_nothing_is_said():
    async with scripted_server(ehlo="250-mail.example\r\n250 AUTH PLAIN") as server:
        attempt = await provider_at(server.port, URL_LOGIN, query="?starttls=required").send(MESSAGE)
        assert (attempt.verdict, attempt.error_type) == (M, "tls_not_offered")
        assert server.commands == ["ehlo"]
        attempt = await provider_at(server.port, URL_LOGIN, scheme="smtps").send(MESSAGE)
        assert (attempt.verdict, attempt.error_type) == (T, "tls_failed")
        assert "auth" not in server.commands


async def test_a_recipient_that_is_refused_and_one_that_is_asked_to_wait():
    async with mail_server() as server:
        server.refused = {"reader@example.com": "550 5.1.1 no such user", "busy@example.com": "451 4.3.0 later"}
        provider = provider_at(server.port)
        attempts = [await provider.send(MESSAGE), await provider.send(replace(MESSAGE, recipient="busy@example.com"))]
    assert [attempt.verdict for attempt in attempts] == [P, T]
    assert attempts[1].spares_destination, "later for one mailbox is not later for all"
    assert server.taken == []


@pytest.mark.parametrize("script", [{"rcpt": "421 going down"}, {"content": "451 later"}, {"mail": "451 later"}])
async def test_what_a_server_says_of_itself_is_held_against_it(script):
    async with scripted_server(**script) as server:
        attempt = await provider_at(server.port).send(MESSAGE)
    assert (attempt.verdict, attempt.spares_destination) == (T, False)


async def test_a_domain_in_another_script_is_written_in_ascii():
    async with mail_server() as server:
        attempt = await provider_at(server.port).send(replace(MESSAGE, recipient="ada@bücher.example"))
    assert attempt.verdict is A
    assert server.taken[0].rcpt_tos == ["ada@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "ü@example.com"},
        {"recipient": "a@example.com\r\nRCPT TO:<b@example.com>"},
        {"subject": "a\r\nBcc: b@example.com"},
        {"text": "\ud800"},
    ],
)
async def test_what_would_be_no_mail_or_another_one_is_not_sent(changes):
    async with mail_server() as server:
        attempt = await provider_at(server.port).send(replace(MESSAGE, **changes))
    assert (attempt.verdict, attempt.error_type) == (P, "invalid_message")
    assert server.taken == []


HEADERS = ["from", "to", "subject", "date", "message-id", "x-delivery-id", "auto-submitted", "mime-version"]


@settings(deadline=None, max_examples=25)  # a busy machine proves nothing
@given(subject=st.text(max_size=60), text=st.text(max_size=60).filter(lambda text: "\r" not in text))
def test_no_text_gets_out_of_its_place(subject, text):
    configuration = SmtpConfiguration(url="smtp://localhost", from_email="jobs@shop.example", from_name="Jobs")
    message = replace(MESSAGE, subject=one_line(subject), text=text)
    mail = read(_mail(configuration, "reader@example.com", message))
    assert [name.lower() for name in mail.keys()] == [*HEADERS, "content-type"]  # noqa: SIM118 (a header may come twice)
    assert mail["to"] == "reader@example.com"
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


async def test_nobody_listens():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refuses connections, and nobody else gets the port
        attempt = await provider_at(reserved.getsockname()[1]).send(MESSAGE)
    assert (attempt.verdict, attempt.error_type) == (T, "connect_failed")


async def test_the_name_cannot_be_resolved(monkeypatch):
    async def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    provider = SmtpEmailProvider(SmtpConfiguration(url="smtp://mail.example", from_email="a@b.example", from_name="J"))
    attempt = await provider.send(MESSAGE)
    assert (attempt.verdict, attempt.error_type) == (T, "dns_failed")


async def test_a_cancellation_passes_and_hangs_up():
    async with scripted_server(content=None) as server:
        task = asyncio.create_task(provider_at(server.port, deadline_seconds=30).send(MESSAGE))
        await server.has_mail.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_the_doctor_says(trusted, tls):
    async def found(port: int, login: str, **changes: Any) -> list[Level]:
        provider = provider_at(port, login, query="?starttls=required", **changes)
        findings = await provider.check()
        assert all(PASSWORD not in f"{one.found} {one.advice}" for one in findings)
        assert all(one.advice for one in findings if one.level is not Level.OK)
        return [one.level for one in findings]

    async with mail_server(login=(USER, PASSWORD), starttls=tls) as server:
        assert await found(server.port, URL_LOGIN) == [Level.OK, Level.OK]
        assert await found(server.port, f"robot:x{PASSWORD}@") == [Level.OK, Level.FAIL]
        assert await found(server.port, "") == [Level.OK, Level.FAIL], "it asks for a login before it takes a mail"
        assert await found(server.port, URL_LOGIN, from_email="hello@demomailtrap.co") == [Level.WARN, Level.OK]
        assert server.taken == []
    async with scripted_server(mail="553 5.7.1 not your address") as server:
        *_, last = await provider_at(server.port).check()
        assert (last.level, "MAIL_FROM_EMAIL" in last.advice) == (Level.FAIL, True)
        assert server.commands == ["ehlo", "mail", "quit"]
    async with scripted_server(greeting="421 busy") as server:
        assert await found(server.port, URL_LOGIN) == [Level.OK, Level.WARN]
