"""The server's answers leave it whole, in one piece, over connections that are kept and closed as asked."""

import asyncio
import socket

import pytest

from perdure.app import HttpServer, create_app
from perdure.core.waiting import FinishedJobs
from perdure.routes.one_write import OneWrite

ASK = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n%s\r\n"


class Transport:
    def __init__(self):
        self.calls = []

    def write(self, data):
        self.calls.append(data)

    def close(self):
        self.calls.append("closed")

    def is_closing(self):
        return "closed" in self.calls


async def test_what_is_written_in_one_turn_is_passed_on_at_once():
    transport = Transport()
    one_write = OneWrite(transport, asyncio.get_running_loop())
    one_write.write(b"head ")
    one_write.write(b"body")
    assert transport.calls == []
    await asyncio.sleep(0)
    one_write.write(b"next")
    await asyncio.sleep(0)
    assert transport.calls == [b"head body", b"next"]


async def test_what_is_written_before_the_end_is_passed_on_before_it():
    transport = Transport()
    one_write = OneWrite(transport, asyncio.get_running_loop())
    one_write.write(b"last")
    assert not one_write.is_closing()
    one_write.close()
    await asyncio.sleep(0)
    assert transport.calls == [b"last", "closed"]
    assert one_write.is_closing()


@pytest.fixture
async def port(platform):
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False)
    server = HttpServer(app)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1]
        server.stop()
        await serving


async def test_a_connection_answers_again_and_again_and_closes_when_asked_to(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(ASK % b"")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert len(await reader.readexactly(length)) == length
    writer.write(ASK % b"connection: close\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_requests_that_are_sent_ahead_are_answered_in_turn(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK % b"" + ASK % b"" + ASK % b"connection: close\r\n")
    assert (await reader.read()).count(b"HTTP/1.1 200") == 3
    writer.close()


async def test_what_is_no_request_is_said_to_be_none(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"nonsense\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()
