"""The contract of all providers that speak HTTP, on real local servers that do whatever servers do."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trustme
from tests.core.notifications.jobs import ended_job
from tests.core.notifications.providers.contract.behaviours import ANSWERED, ENDLESS, UNREACHED, Expected
from tests.core.notifications.providers.contract.subjects import DEADLINE_SECONDS, SUBJECTS, Subject
from tests.stand_in.http_server import StandIn

from perdure.core.notifications.events import JobEvent
from perdure.core.notifications.providers.base import Message, Provider, Recipients, Skip
from perdure.models.delivery import Attempt, SkipReason, Verdict

SHORT_SECONDS = 0.5
"""The deadline for servers that never finish; the others may take their time on a busy machine."""
LATEST_SECONDS = 3.0


@pytest.fixture(params=SUBJECTS)
def name(request) -> str:
    return request.param


@pytest.fixture
def subject(name) -> Subject:
    return SUBJECTS[name]


@pytest.fixture
def stand_in(subject) -> Iterator[StandIn]:
    with subject.stand_in() as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure_stand_in(subject, authority) -> Iterator[StandIn]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with subject.stand_in(tls=context) as server:
        yield server


@asynccontextmanager
async def provider_at(
    subject: Subject, base: str, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[tuple[Provider, Message]]:
    provider, message = subject.at(base, deadline_seconds)
    yield provider, message
    await provider.aclose()


async def sent(subject: Subject, base: str, deadline_seconds: float = DEADLINE_SECONDS) -> Attempt:
    """What the provider says of its message to the service at ``base``; in time, and fit to be kept."""
    started = time.monotonic()
    async with provider_at(subject, base, deadline_seconds) as (provider, message):
        attempt = await provider.send(message)
    assert time.monotonic() - started < LATEST_SECONDS
    for text, limit in [
        (attempt.message, 500),
        (attempt.response_excerpt, 512),
        (attempt.provider_message_id, 200),
        (attempt.error_type, 50),
    ]:
        if text is not None:
            assert 0 < len(text) <= limit
            assert "\x00" not in text
            text.encode()
    assert not any(secret in repr(attempt) for secret in subject.secrets)
    return attempt


def expected(subject: Subject, behaviour: str) -> Expected:
    return subject.differs.get(behaviour) or (ANSWERED | ENDLESS | UNREACHED)[behaviour]


def found(attempt: Attempt) -> Expected:
    return Expected(attempt.verdict, attempt.status_code, attempt.error_type, attempt.retry_after_seconds)


@pytest.mark.parametrize("behaviour", [*ANSWERED, *ENDLESS])
async def test_every_behaviour_of_a_server_has_its_verdict(subject, stand_in, behaviour):
    stand_in.script(behaviour)
    attempt = await sent(subject, stand_in.url, SHORT_SECONDS if behaviour in ENDLESS else DEADLINE_SECONDS)
    assert found(attempt) == expected(subject, behaviour)
    assert (attempt.message is None) == (attempt.verdict is subject.proven), "whatever went wrong is said"
    assert len(stand_in.received) == 1, "never retried, no redirect followed"


async def test_a_message_that_was_taken_is_proven_and_names_its_delivery(subject, stand_in):
    attempt = await sent(subject, stand_in.url)
    assert (attempt.verdict, attempt.status_code, attempt.error_type) == (subject.proven, 200, None)
    [received] = stand_in.received
    _, message = subject.at(stand_in.url, DEADLINE_SECONDS)
    assert str(message.delivery_id) in f"{received.headers} {received.body.decode()}"
    assert received.headers["user-agent"].startswith("perdure/")


async def test_retry_after_may_be_a_date(subject, stand_in):
    stand_in.script("too_many_requests_date")
    attempt = await sent(subject, stand_in.url)
    assert attempt.verdict is Verdict.TRANSIENT
    assert attempt.retry_after_seconds is not None
    assert attempt.retry_after_seconds > 365 * 86_400


async def test_no_secret_comes_back_from_a_server_that_repeats_what_it_was_sent(subject, stand_in):
    stand_in.script("echo")
    attempt = await sent(subject, stand_in.url)
    assert attempt.status_code == 401
    assert "refused" in attempt.response_excerpt


async def test_nobody_listens(subject):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refuses connections, and nobody else gets the port
        attempt = await sent(subject, f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert found(attempt) == expected(subject, "refused")


async def test_the_name_cannot_be_resolved(subject, monkeypatch):
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert found(await sent(subject, "https://nowhere.localhost")) == expected(subject, "unknown_name")


async def test_a_certificate_that_is_not_trusted(subject, secure_stand_in):
    assert found(await sent(subject, secure_stand_in.url)) == expected(subject, "untrusted_certificate")
    assert secure_stand_in.received == []


async def test_a_server_that_speaks_no_tls(subject, stand_in):
    assert found(await sent(subject, f"https://{stand_in.host}")) == expected(subject, "no_tls")


async def test_a_hang_over_tls_ends_at_the_deadline_too(subject, secure_stand_in, authority, tmp_path, monkeypatch):
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    secure_stand_in.script("hang")
    assert found(await sent(subject, secure_stand_in.url, SHORT_SECONDS)) == expected(subject, "hang")


async def test_a_cancellation_passes(subject, stand_in):
    stand_in.script("hang")
    async with provider_at(subject, stand_in.url) as (provider, message):
        task = asyncio.create_task(provider.send(message))
        await asyncio.to_thread(stand_in.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_message_that_cannot_be_built_is_a_value(subject, stand_in):
    async with provider_at(subject, stand_in.url) as (provider, message):
        broken = Message(
            **{slot: getattr(message, slot) for slot in Message.__slots__}
            | {"subject": object(), "facts": object(), "snapshot": object()}
        )
        attempt = await provider.send(broken)
    assert (attempt.verdict, attempt.error_type) == (Verdict.PERMANENT, "invalid_message")
    assert stand_in.received == []


async def test_without_its_settings_nothing_is_called_and_they_are_named(subject):
    provider = subject.unconfigured()
    missing = provider.missing_settings()
    assert missing
    _, message = subject.at("http://127.0.0.1:9", DEADLINE_SECONDS)
    attempt = await provider.send(message)
    assert (attempt.verdict, attempt.error_type) == (Verdict.MISCONFIGURED, "not_configured")
    assert all(variable in attempt.message for variable in missing)
    assert any(missing[0] in finding.found for finding in await provider.check())
    await provider.aclose()


def test_the_provider_and_its_destinations_are_named_without_secrets(subject):
    provider, message = subject.at("http://127.0.0.1:9", DEADLINE_SECONDS)
    shown = f"{provider.name} {provider.destination(message.recipient)} {provider!r}"
    assert provider.name
    assert not any(secret in shown for secret in subject.secrets)
    assert provider.missing_settings() == []
    assert provider.policy.deadline_seconds == DEADLINE_SECONDS


TOLD = "its recipients"


@pytest.mark.parametrize(
    ("declared", "event", "outcome"),
    [
        ({}, JobEvent.SUCCESS, TOLD),
        ({}, JobEvent.FAILURE, TOLD),
        ({}, JobEvent.CANCELLED, SkipReason.EVENT_NOT_SELECTED),
        ({"enabled": None, "on": None}, JobEvent.SUCCESS, TOLD),
        ({"enabled": True, "on": ["CANCELLED"]}, JobEvent.CANCELLED, TOLD),
        ({"on": ["FAILURE"] * 3}, JobEvent.FAILURE, TOLD),
        ({"on": ["SUCCESS"]}, JobEvent.FAILURE, SkipReason.EVENT_NOT_SELECTED),
        ({"on": []}, JobEvent.SUCCESS, SkipReason.EVENT_NOT_SELECTED),
        ({"enabled": False, "on": []}, JobEvent.SUCCESS, SkipReason.CHANNEL_DISABLED),
    ],
)
def test_who_is_told(subject, declared, event, outcome):
    provider, _ = subject.at("http://127.0.0.1:9", DEADLINE_SECONDS)
    job = ended_job(notifications={provider.channel: {**subject.declared, **declared}})
    evaluation = provider.evaluate(job, event)
    assert evaluation == (Recipients(subject.recipients) if outcome is TOLD else Skip(outcome))


def test_a_channel_that_is_not_declared_tells_nobody(subject):
    provider, _ = subject.at("http://127.0.0.1:9", DEADLINE_SECONDS)
    for notifications in (None, {}, {provider.channel: None}):
        skipped = provider.evaluate(ended_job(notifications=notifications), JobEvent.SUCCESS)
        assert skipped == Skip(SkipReason.CHANNEL_DISABLED)
