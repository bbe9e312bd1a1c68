"""Both clients follow a stream over all its connections."""

import asyncio
import json

import httpx2
import pytest

from perdure.client import stream as module
from perdure.client.async_client import AsyncClient
from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError, ServerUnreachable

URL = "http://127.0.0.1:8080"


class Blocks(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces, which may break off."""

    def __init__(self, *blocks):
        self._blocks = blocks

    def __iter__(self):
        for block in self._blocks:
            if isinstance(block, Exception):
                raise block
            yield block

    async def __aiter__(self):
        for block in self:
            yield block


@pytest.fixture(params=["Client", "AsyncClient"])
def follow(request, monkeypatch):
    """The first events of a stream over the connections given, the requests made, and during which it was reset."""
    monkeypatch.setattr("perdure.client.client.RECONNECT_SECONDS", 0)

    def run(*answers, count):
        left, asked, resets = list(answers), [], []

        def answer(request):
            asked.append(request)
            if isinstance(left[0], Exception):
                raise left.pop(0)
            return left.pop(0)

        def on_reset():
            resets.append(len(asked))

        async def asynchronous(request):
            return answer(request)

        async def gather():
            async with AsyncClient(URL, transport=httpx2.MockTransport(asynchronous)) as client:
                found = []
                async for one in client.stream(job_type="t", on_reset=on_reset):
                    found.append(one)
                    if len(found) == count:
                        break
                return found

        if request.param == "AsyncClient":
            return asyncio.run(gather()), asked, resets
        with Client(URL, transport=httpx2.MockTransport(answer)) as client:
            stream = client.stream(job_type="t", on_reset=on_reset)
            return [next(stream) for _ in range(count)], asked, resets

    return run


def body(*blocks, status=200):
    return httpx2.Response(status, headers={"content-type": "text/event-stream"}, stream=Blocks(*blocks))


def event(number, position=None):
    line = "" if position is None else f"id: {position}\n"
    text = json.dumps({"event": "SUCCESS", "number": number, "data": {"message": "a\u2028b: c"}}, ensure_ascii=False)
    return f"{line}data: {text}\n\n".encode()


def test_a_stream_goes_on_where_it_broke(follow):
    cut = event(3, "9-9")
    found, asked, resets = follow(
        body(b"retry: 2000\nid: 1-1\n\n", event(1), event(2, "2-2")[:20], event(2, "2-2")[20:], cut[:30]),
        httpx2.ReadError("gone"),
        body(b"", status=503),
        body(event(3, "3-3"), httpx2.RemoteProtocolError("cut off")),
        body(b": nothing new\nid: 4-4\n\n"),
        body(b"id: 5-5\nevent: reset\ndata: {}\n\n", event(4)),
        count=4,
    )
    assert [one["number"] for one in found] == [1, 2, 3, 4]
    assert found[0]["data"]["message"] == "a\u2028b: c"
    assert [one.headers.get("last-event-id") for one in asked] == [None, "2-2", "2-2", "2-2", "3-3", "4-4"]
    assert {one.url.query for one in asked} == {b"job_type=t"}
    assert resets == [6]


@pytest.mark.parametrize("status", [401, 503])
def test_a_first_connection_that_is_refused_is_an_error(follow, status):
    problem = httpx2.Response(status, json={"code": "no", "detail": "no"})
    with pytest.raises(PerdureAPIError):
        follow(problem, count=1)


def test_a_server_that_was_never_there_is_an_error(follow):
    with pytest.raises(ServerUnreachable):
        follow(httpx2.ConnectError("nobody"), count=1)


def test_a_key_that_is_revoked_ends_it(follow):
    with pytest.raises(PerdureAPIError):
        follow(body(event(1)), httpx2.Response(401, json={"code": "unauthenticated", "detail": "no"}), count=2)


def test_a_server_that_says_nothing_for_long_is_given_up(follow):
    _, [asked], _ = follow(body(event(1)), count=1)
    assert asked.extensions["timeout"]["read"] == module.SILENT_SECONDS > 15
