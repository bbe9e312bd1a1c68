import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from tests.stand_in.mailtrap_server import MailtrapStandIn
from tests.stand_in.receiver import LOOPBACK

from perdure.outbound import http_send
from perdure.outbound.addresses import networks
from perdure.outbound.http_send import (
    CAUSES,
    MAX_ANSWER_BYTES,
    MAX_CONNECTIONS,
    USER_AGENT,
    Answer,
    HttpSender,
    NoAnswer,
    retry_after_seconds,
)
from perdure.outbound.transport import GuardedTransport

DEADLINE = 0.5
"""For servers that never finish."""
LATEST = 3.0
"""By then a post is over, on a busy machine too; the servers of these tests would take longer."""


@pytest.fixture
def stand_in() -> Iterator[MailtrapStandIn]:
    with MailtrapStandIn() as server:
        yield server


@pytest.fixture(params=["plain", "guarded"])
def transport(request) -> httpx2.AsyncBaseTransport | None:
    return GuardedTransport(networks(LOOPBACK)) if request.param == "guarded" else None


@pytest.fixture
async def sender(transport) -> AsyncIterator[HttpSender]:
    sender = HttpSender(10, transport)
    yield sender
    await sender.aclose()


@pytest.fixture
async def hasty_sender(transport) -> AsyncIterator[HttpSender]:
    sender = HttpSender(DEADLINE, transport)
    yield sender
    await sender.aclose()


async def test_posts_what_it_was_given_and_returns_the_answer(stand_in, sender):
    answer = await sender.post(f"{stand_in.url}/api/send", {"X-One": "1"}, b'{"a": 1}')
    assert isinstance(answer, Answer)
    assert (answer.status_code, answer.whole) == (200, True)
    [received] = stand_in.received
    assert (received.method, received.path, received.body) == ("POST", "/api/send", b'{"a": 1}')
    assert received.headers["x-one"] == "1"
    assert received.headers["user-agent"] == USER_AGENT
    assert received.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("behaviour", ["hang", "drip_headers"])
async def test_a_silent_server_is_cut_at_the_deadline_and_may_have_the_request(stand_in, hasty_sender, behaviour):
    stand_in.script(behaviour)
    started = time.monotonic()
    assert await hasty_sender.post(stand_in.url, {}, b"{}") == NoAnswer("deadline", left=True)
    assert DEADLINE <= time.monotonic() - started < LATEST


async def test_a_dripping_body_is_cut_at_the_deadline_but_the_status_is_known(stand_in, hasty_sender):
    stand_in.script("drip_body")
    started = time.monotonic()
    answer = await hasty_sender.post(stand_in.url, {}, b"{}")
    assert isinstance(answer, Answer)
    assert (answer.status_code, answer.whole) == (200, False)
    assert answer.body
    assert time.monotonic() - started < LATEST


async def test_no_more_of_an_answer_is_read_than_the_bound(stand_in, sender):
    stand_in.script("huge")
    answer = await sender.post(stand_in.url, {}, b"{}")
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.whole) == (MAX_ANSWER_BYTES, False)


async def test_redirects_are_answers_and_not_followed(stand_in, sender):
    stand_in.script("redirect_307")
    answer = await sender.post(f"{stand_in.url}/here", {}, b"{}")
    assert isinstance(answer, Answer)
    assert answer.status_code == 307
    assert [request.path for request in stand_in.received] == ["/here"]


async def test_cookies_are_not_kept(stand_in, sender):
    stand_in.script("ok_with_cookie")
    for _ in range(2):
        await sender.post(stand_in.url, {}, b"{}")
    assert all("cookie" not in request.headers for request in stand_in.received)


async def test_neither_netrc_nor_proxy_variables_are_used(stand_in, sender, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    await sender.post(stand_in.url, {"Authorization": "Bearer mine"}, b"{}")
    assert stand_in.received[0].headers["authorization"] == "Bearer mine"


async def test_a_connection_is_used_again(stand_in, sender):
    for _ in range(3):
        await sender.post(stand_in.url, {}, b"{}")
    assert (len(stand_in.received), stand_in.connections) == (3, 1)


async def test_concurrent_posts_do_not_mix(stand_in, sender):
    posts = (sender.post(f"{stand_in.url}/{number}", {}, b"{}") for number in range(8))
    answers = await asyncio.gather(*posts)
    assert all(isinstance(answer, Answer) and answer.status_code == 200 for answer in answers)
    assert {request.path for request in stand_in.received} == {f"/{number}" for number in range(8)}


async def test_many_hung_posts_all_end_at_the_deadline(hasty_sender):
    with MailtrapStandIn() as server:
        server.script(then="hang")
        started = time.monotonic()
        answers = await asyncio.gather(*(hasty_sender.post(server.url, {}, b"{}") for _ in range(40)))
        assert time.monotonic() - started < LATEST
    assert all(isinstance(answer, NoAnswer) and answer.cause == "deadline" for answer in answers)
    # What the server has is never called unsent; a request cut while it was written may be called sent.
    assert sum(isinstance(answer, NoAnswer) and answer.left for answer in answers) >= len(server.received)


async def test_waiting_for_a_connection_is_not_sending(stand_in, sender, monkeypatch):
    monkeypatch.setattr(http_send, "POOL_SECONDS", 0.1)
    stand_in.script(then="hang")
    hung = [asyncio.create_task(sender.post(stand_in.url, {}, b"{}")) for _ in range(MAX_CONNECTIONS)]
    await asyncio.to_thread(stand_in.wait_for, MAX_CONNECTIONS)
    assert await sender.post(stand_in.url, {}, b"{}") == NoAnswer("pool_timeout", left=False)
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)


class Raising(httpx2.AsyncBaseTransport):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise self._error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (httpx2.PoolTimeout("x"), "pool_timeout"),
        (httpx2.ConnectTimeout("x"), "connect_timeout"),
        (httpx2.ConnectError("x"), "connect_failed"),
        (httpx2.LocalProtocolError("Bearer secret"), "unsendable"),
        (httpx2.RemoteProtocolError("x"), "connection_lost"),
        (httpx2.ReadError("x"), "connection_lost"),
        (TimeoutError("x"), "deadline"),
        (RuntimeError("Bearer secret"), "unexpected"),
        (RecursionError("x"), "unexpected"),
        (UnicodeError("x"), "unexpected"),
    ],
)
async def test_whatever_the_transport_raises_is_a_value(error, cause):
    answer = await HttpSender(DEADLINE, Raising(error)).post("http://127.0.0.1", {}, b"")
    assert answer == NoAnswer(cause, left=False)
    assert cause in CAUSES


async def test_a_url_or_header_that_cannot_be_sent_is_a_value(sender):
    for url, headers in [("http://[", {}), ("gopher://127.0.0.1/", {}), ("http://127.0.0.1:1", {"A": "x\r\nB: y"})]:
        answer = await sender.post(url, headers, b"")
        assert isinstance(answer, NoAnswer)
        assert not answer.left


async def test_a_cancellation_passes(stand_in, sender):
    stand_in.script("hang")
    task = asyncio.create_task(sender.post(stand_in.url, {}, b"{}"))
    await asyncio.to_thread(stand_in.wait_for, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e400"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 99 Oct 2099 07:28:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2099 07:28:30 GMT", "Date": "Wed, 21 Oct 2099 07:28:00 GMT"}, 30),
        ({"Retry-After": "Wed, 21 Oct 2099 07:27:00 GMT", "Date": "Wed, 21 Oct 2099 07:28:00 GMT"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(headers, seconds):
    assert retry_after_seconds(httpx2.Headers(headers)) == seconds
