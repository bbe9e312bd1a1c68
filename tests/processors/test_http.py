import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from tests.stand_in.receiver import LOOPBACK, Receiver, Reply

from perdure.models.outcome import Succeeded
from perdure.outbound.addresses import networks
from perdure.processors.base import NotRetryable, RetryAfter
from perdure.processors.http import MAX_BODY_BYTES, HttpRequest, HttpResult, http_request
from perdure.processors.http_exchange import RequestFailed
from perdure.processors.registry import ProcessorRegistry
from perdure.workers import outcomes

PROCESSOR = http_request(networks(LOOPBACK))
KEY = {"X-Api-Key": "k3y", "Accept": "text/plain"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


async def called(context, url: str, **payload: Any) -> HttpResult:
    request = PROCESSOR.payload_type.validate_python({"url": url, **payload})
    result = await PROCESSOR.function(request, context)
    assert isinstance(result, HttpResult)
    return result


async def test_it_asks_and_keeps_the_answer(context, receiver):
    receiver.replies.append(Reply(200, b'{"a": [1, 2.5, "\xc3\xbc"]}', headers={"X_Token": "t"}))
    result = await called(context, f"{receiver.url}/things?q=1", headers={"Accept": "application/json"})
    [request] = receiver.received
    assert (request.method, request.path, request.body) == ("GET", "/things?q=1", b"")
    assert request.headers["accept"] == "application/json"
    assert "idempotency-key" not in request.headers
    assert (result.status_code, result.body, result.truncated) == (200, {"a": [1, 2.5, "ü"]}, False)
    assert (result.headers["x-token"], result.url) == ("t", f"{receiver.url}/things?q=1")


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ({"n": 1, "ü": None}, '{"n": 1, "ü": null}', "application/json"),
        ([], "[]", "application/json"),
        (False, "false", "application/json"),
        ("as it is: ü", "as it is: ü", "text/plain; charset=utf-8"),
        (None, "", None),
    ],
)
async def test_what_is_sent(context, receiver, body, sent, kind):
    for method in ("POST", "PUT"):
        await called(context, receiver.url, method=method, body=body)
    for request in receiver.received:
        assert (request.body.decode(), request.headers.get("content-type")) == (sent, kind)
        assert request.headers["idempotency-key"] == str(context.job_id), "the same at every attempt"


async def test_headers_asked_for_come_before_ours(context, receiver):
    given = {"content-type": "application/xml", "IDEMPOTENCY-KEY": "mine"}
    await called(context, receiver.url, method="POST", body="<a/>", headers=given)
    headers = receiver.received[0].headers
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/xml", "mine")


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(204), ""),
        (Reply(200, b"{}", "application/problem+json; charset=utf-8"), {}),
        (Reply(200, b"{}", "text/plain"), "{}"),
        (Reply(200, b"{nonsense"), "{nonsense"),
        (Reply(200, b'{"a": 1, "a": 2}'), '{"a": 1, "a": 2}'),
        (Reply(200, b"90071992547409930"), "90071992547409930"),
        (Reply(200, b"a\x00b\xff"), "a�b�"),
    ],
)
async def test_what_cannot_be_kept_exactly_as_json_is_kept_as_text(context, receiver, reply, body):
    receiver.replies.append(reply)
    assert (await called(context, receiver.url)).body == body


@pytest.mark.parametrize("piece", [b"\x01", b"1e15,", "€".encode(), b"\xff"])
async def test_a_large_answer_is_cut_and_the_result_can_be_kept(context, receiver, piece):
    receiver.replies.append(Reply(200, piece * 200_000, headers={f"X_{n}": "x" * 2_000 for n in range(30)}))
    result = await called(context, receiver.url)
    assert result.truncated
    assert len(result.body.encode()) <= 3 * MAX_BODY_BYTES
    assert isinstance(outcomes.returned(PROCESSOR, result), Succeeded)


async def test_which_answers_count_may_be_said(context, receiver):
    receiver.replies.extend([Reply(404, b'"none"'), Reply(302, headers={"Location": "/x"}), Reply(200)])
    assert (await called(context, receiver.url, expect=[200, 404])).body == "none"
    assert (await called(context, receiver.url, expect=[302])).status_code == 302
    with pytest.raises(NotRetryable, match="200"):
        await called(context, receiver.url, expect=[201])


@pytest.mark.parametrize(
    ("reply", "error", "seconds"),
    [
        *((Reply(status), NotRetryable, None) for status in (300, 301, 400, 401, 403, 404, 410, 422)),
        *((Reply(status), RequestFailed, None) for status in (408, 425, 429, 500, 502, 503)),
        *((Reply(status, headers={"Retry-After": "7"}), RetryAfter, 7) for status in (429, 503)),
        (Reply(429, headers={"Retry-After": "86400"}), RetryAfter, 3600),
        (Reply(404, headers={"Retry-After": "7"}), NotRetryable, None),
    ],
)
async def test_what_a_refusal_asks_for(context, receiver, reply, error, seconds):
    receiver.replies.append(Reply(reply.status, b"no,\n because", headers=reply.headers))
    with pytest.raises(error, match=str(reply.status)) as raised:
        await called(context, receiver.url)
    assert "because" not in str(raised.value), "errors are told in mails"
    assert getattr(raised.value, "seconds", None) == seconds
    assert context.logged == [("warning", f"answered {reply.status}: no, because")]
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [
        ("close", "may have been received"),
        ("hang", "may have been received"),
        ("half_a_body", "broke off"),
        ("drip_body", "broke off"),
    ],
)
async def test_no_answer_or_a_part_of_one_is_tried_again(context, receiver, behaviour, what):
    receiver.script(behaviour)
    with pytest.raises(RequestFailed, match=what):
        await called(context, receiver.url, timeout_seconds=0.3 if behaviour in ("hang", "drip_body") else 10)


async def test_nobody_listens(context):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: refuses connections, and nobody else gets the port
        with pytest.raises(RequestFailed, match="nothing was sent"):
            await called(context, f"http://127.0.0.1:{reserved.getsockname()[1]}/")


async def test_it_goes_where_webhooks_may_go_and_nowhere_else(context, receiver):
    strict = http_request()
    for url in (receiver.url, f"https://localhost:{receiver.port}/", "http://8.8.8.8/", "https://169.254.169.254/"):
        with pytest.raises(NotRetryable, match="WEBHOOK_ALLOW_CIDRS"):
            await strict.function(HttpRequest(url=url), context)
    assert receiver.connections == 0


async def test_redirects_are_followed_when_asked_and_no_more_of_them(context, receiver):
    hop = Reply(302, headers={"Location": "/next"})
    receiver.replies.extend([hop, hop, Reply(200, b'"there"'), hop, hop])
    result = await called(context, f"{receiver.url}/first", max_redirects=2, headers=KEY)
    assert (result.body, result.url) == ("there", f"{receiver.url}/next")
    assert [request.path for request in receiver.received] == ["/first", "/next", "/next"]
    assert all(request.headers["x-api-key"] == "k3y" for request in receiver.received)
    with pytest.raises(NotRetryable, match="max_redirects"):
        await called(context, f"{receiver.url}/first", max_redirects=1)


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"), (308, "PUT", "PUT")],
)
async def test_a_redirect_keeps_or_changes_the_method_as_it_says(context, receiver, status, method, then):
    receiver.replies.append(Reply(status, headers={"Location": "/next"}))
    await called(context, receiver.url, method=method, body={"a": 1}, max_redirects=1)
    _, request = receiver.received
    assert (request.method, request.body) == (then, b"" if then == "GET" else b'{"a": 1}')
    assert ("content-type" in request.headers) == (then != "GET")


async def test_a_redirect_elsewhere_does_not_take_keys_along_and_is_judged_anew(context, receiver):
    with Receiver() as other:
        receiver.replies.append(Reply(307, headers={"Location": f"{other.url}/x#part"}))
        await called(context, receiver.url, method="POST", body={}, max_redirects=1, headers=KEY)
        [request] = other.received
        assert "x-api-key" not in request.headers
        assert (request.headers["accept"], request.headers["content-type"]) == ("text/plain", "application/json")
    for location in ("https://10.0.0.1/", "http://8.8.8.8/", f"http://[::1]:{receiver.port}/", "file:///etc/passwd"):
        receiver.replies.append(Reply(302, headers={"Location": location}))
        with pytest.raises(NotRetryable):
            await called(context, receiver.url, max_redirects=5)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"url": "example.com"},
        {"url": "ftp://example.com/"},
        {"url": "https://a:b@example.com/"},
        {"method": "TRACE"},
        {"headers": {"Host": "other.example"}},
        {"headers": {"Content-Length": "7"}},
        {"headers": {"A": "1", "a": "2"}},
        {"headers": {"A": "x\r\nB: y"}},
        {"headers": {"A": "x\n"}},
        {"headers": {"A B": "x"}},
        {"headers": {"A\n": "x"}},
        {"headers": {f"A{n}": "x" for n in range(51)}},
        {"expect": []},
        {"expect": [99]},
        {"timeout_seconds": 0},
        {"timeout_seconds": 601},
        {"max_redirects": 11},
        {"verify": False},
    ],
)
def test_what_cannot_be_asked_for(payload):
    with pytest.raises(ValidationError):
        PROCESSOR.payload_type.validate_python({"url": "https://example.com/"} | payload if payload else {})


def test_every_worker_has_it_and_says_what_it_takes():
    processor = ProcessorRegistry.load(()).get("http.request")
    assert processor is not None
    assert processor.description.startswith("Calls a URL")
    schema = processor.payload_type.json_schema()
    assert schema["required"] == ["url"]
