"""Over the wire, plain submissions are taken by the protocol itself, and all else about a connection is as ever."""

import asyncio
import json
import socket

import asyncpg
import pytest
from sqlalchemy import text
from tests.routes.conftest import publish

from perdure.app import HttpServer, create_app
from perdure.core import authentication
from perdure.core.api_keys import ApiKeys
from perdure.core.commands import Commands
from perdure.core.waiting import FinishedJobs
from perdure.models.api_key import Scope
from perdure.processors import demo
from perdure.routes.short_protocol import MAX_BYTES, ShortWayProtocol

BODY = b'{"job_type":"demo.sleep","payload":{"seconds":1}}'


def request(body=BODY, *headers, version=b"1.1", path=b"/v1/jobs"):
    lines = [b"POST %s HTTP/%s" % (path, version), b"host: localhost", b"content-type: application/json", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


@pytest.fixture
async def server(platform, monkeypatch):
    monkeypatch.setattr(authentication, "FRESH_SECONDS", 60.0)  # however slow the machine
    await publish(platform, demo.sleep)
    server = HttpServer(create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield server
        server.stop()
        await serving


class Asking:
    """A connection to the server."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    @classmethod
    async def to(cls, server):
        asking = cls()
        asking.reader, asking.writer = await asyncio.open_connection("127.0.0.1", server.port)
        return asking

    def send(self, *requests):
        self.writer.write(b"".join(requests))

    async def answer(self):
        """Status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, json.loads(body)

    async def ask(self, *of_request, **more):
        self.send(request(*of_request, **more))
        return await self.answer()


@pytest.fixture
async def asking(server):
    async with await Asking.to(server) as one:
        await one.ask()  # what is to be remembered of types and keys is read now
        yield one


@pytest.fixture
def soon(monkeypatch):
    """Whether each submission that was asked for could be taken at once."""
    taken, submit_soon = [], Commands.submit_soon

    def noted(*asked):
        taken.append(submit_soon(*asked))
        return taken[-1]

    monkeypatch.setattr(Commands, "submit_soon", noted)
    return taken


async def stored(platform):
    async with platform.database.snapshot() as connection:
        return set((await connection.execute(text("SELECT job_id::text FROM perdure.jobs"))).scalars())


async def test_plain_submissions_are_answered_again_and_again_over_one_connection(asking, soon, platform, http):
    answers = [await asking.ask() for _ in range(3)]
    assert soon == [True] * 3
    long = await http.post("/v1/jobs?dry_run=false", content=BODY, headers={"content-type": "application/json"})
    for status, headers, job in answers:
        assert (status, headers["location"]) == (201, f"/v1/jobs/{job['job_id']}")
        assert (await http.get(headers["location"])).json() == job
        assert job.keys() == long.json().keys()
        assert {*headers} - {"date", "server"} == {*long.headers}
    assert {job["job_id"] for _, _, job in answers} < await stored(platform)


async def test_what_is_sent_ahead_is_answered_in_turn(asking, soon):
    get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    bad = request(b"{")
    asking.send(request(), get, request(), bad, request(), request(BODY, b"connection: close"))
    assert [(await asking.answer())[0] for _ in range(6)] == [201, 200, 201, 422, 201, 201]
    assert await asking.reader.read() == b"", "closed, as was asked for"
    assert soon == [True] * 4


async def test_a_body_may_come_in_pieces(asking, soon):
    sent = request()
    for start in range(0, len(sent), 50):
        asking.send(sent[start : start + 50])
        await asking.writer.drain()
    assert (await asking.answer())[0] == 201
    assert soon == [True]


@pytest.mark.parametrize("size", [MAX_BYTES, 200_000])
async def test_a_long_body_is_taken_as_ever(asking, soon, size):
    body = BODY[:-1] + b',"context":{"more":"%s"}}' % (b"x" * size)
    assert (await asking.ask(body))[0] == 201
    assert (await asking.ask())[0] == 201
    assert soon == [True]


async def test_older_and_careful_clients_are_answered(asking, server, soon):
    head, _, body = request(BODY, b"expect: 100-continue").partition(b"\r\n\r\n")
    asking.send(head + b"\r\n\r\n")
    assert await asking.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    asking.send(body)
    assert (await asking.answer())[0] == 201
    async with await Asking.to(server) as old:
        status, headers, _ = await old.ask(version=b"1.0")
        assert (status, headers["connection"]) == (201, "close")
        assert await old.reader.read() == b""
    assert soon == [True]


async def test_a_key_is_replayed(asking, soon):
    first, again = [await asking.ask(BODY, b"idempotency-key: k") for _ in range(2)]
    assert (first[0], again[0], again[2]) == (201, 200, first[2])
    assert again[1]["idempotent-replayed"] == "true"
    other = BODY.replace(b"1}", b"2}")
    assert (await asking.ask(other, b"idempotency-key: k"))[2]["code"] == "idempotency_key_reused"
    assert soon[:2] == [True, True]


async def test_a_type_that_was_published_meanwhile_is_read_again(asking, soon, platform):
    await publish(platform, demo.sleep)
    status, _, job = await asking.ask()
    assert (status, soon) == (201, [True])
    assert job["job_id"] in await stored(platform)


async def test_who_may_not_is_told_so(server, platform):
    keys = ApiKeys(platform.database)
    reader = (await keys.create("reader", [Scope.READ])).token.encode()
    submitter = (await keys.create("submitter", [Scope.SUBMIT])).token.encode()
    async with await Asking.to(server) as asking:
        for _ in range(2):
            answers = [
                (await asking.ask(BODY, *headers))[0]
                for headers in (
                    (),
                    (b"authorization: Bearer pdr_no",),
                    (b"authorization: Bearer %s" % reader,),
                    (b"authorization: Bearer %s" % submitter,),
                )
            ]
            assert answers == [401, 401, 403, 201]


async def test_a_page_of_another_site_may_not(asking, soon, platform):
    before = await stored(platform)
    assert (await asking.ask(BODY, b"sec-fetch-site: cross-site"))[0] == 403
    assert (soon, await stored(platform)) == ([], before)


async def test_a_commit_that_nobody_heard_of_is_unavailable(asking, soon, monkeypatch, platform):
    fetch = asyncpg.Connection.fetch

    async def store_and_break(connection, *asked):
        await fetch(connection, *asked)
        monkeypatch.setattr(asyncpg.Connection, "fetch", fetch)
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    before = await stored(platform)
    monkeypatch.setattr(asyncpg.Connection, "fetch", store_and_break)
    status, _, problem = await asking.ask()
    assert (status, problem["code"], soon) == (503, "unavailable", [True])
    assert len(await stored(platform) - before) == 1, "it is not submitted once more"


async def test_a_mistake_of_ours_is_a_problem(asking, monkeypatch):
    def broken(*_):
        raise KeyError("canary")

    monkeypatch.setattr("perdure.core.joint_submission.announce", broken)
    status, _, problem = await asking.ask()
    assert (status, problem["code"]) == (500, "internal_error")
    assert "canary" not in json.dumps(problem)


async def test_who_hangs_up_harms_nobody(asking, server, platform):
    sent = request()
    for cut in (len(sent) - 5, len(sent)):
        async with await Asking.to(server) as leaving:
            leaving.send(sent[:cut])
            await leaving.writer.drain()
    assert (await asking.ask())[0] == 201


async def test_what_is_under_way_is_answered_when_the_server_stops(asking, server, monkeypatch):
    fetch, shutdown = asyncpg.Connection.fetch, ShortWayProtocol.shutdown
    begun, stopping, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(connection, *asked):
        begun.set()
        await go_on.wait()
        return await fetch(connection, *asked)

    def noted(protocol):
        shutdown(protocol)
        stopping.set()

    monkeypatch.setattr(asyncpg.Connection, "fetch", late)
    monkeypatch.setattr(ShortWayProtocol, "shutdown", noted)
    asking.send(request())
    await begun.wait()
    server.stop()
    await stopping.wait()
    go_on.set()
    status, headers, _ = await asking.answer()
    assert (status, headers["connection"]) == (201, "close")
