"""The stream over a real connection: what it looks like, who gets it, and how it ends."""

import asyncio
import json
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack

import httpx2
import pytest
from tests.repositories.test_plans import sent

from perdure.app import HttpServer, create_app, feeding
from perdure.core import streaming
from perdure.core.api_keys import ApiKeys
from perdure.core.waiting import FinishedJobs
from perdure.models.api_key import Scope
from perdure.routes import stream

PAGES = 200
JOB = {"job_type": "demo.sleep", "payload": {"seconds": 0}}


@pytest.fixture
async def served(platform, http):
    """A server in this process, without workers, and a client of it."""
    app = create_app(platform, FinishedJobs(platform.database, platform.wakeup), with_inbox=False)
    server = HttpServer(app)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with feeding(app, server):
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
                client.server, client.serving, client.feed = server, serving, app.state.feed
                yield client
            server.stop()
            await serving


async def lines_of(response):
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode()


async def next_data(lines):
    async with asyncio.timeout(20):
        async for line in lines:
            if line.startswith("data: {"):
                return json.loads(line[6:])
    raise AssertionError("the stream ended")


async def test_a_job_is_followed_from_afar(served):
    async with served.stream("GET", "/v1/stream", params={"job_type": "demo.sleep"}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-accel-buffering"] == "no"
        lines = lines_of(response)
        assert await anext(lines) == "retry: 2000"
        assert (await anext(lines)).startswith("id: ")
        job = (await served.post("/v1/jobs", json=JOB | {"tags": ["a"]})).json()
        await served.post(f"/v1/jobs/{job['job_id']}/cancel")
        told = await next_data(lines)
    assert (told["event"], told["job_id"], told["status"]) == ("CANCELLED", job["job_id"], "CANCELLED")
    assert (told["queue"], told["tags"], told["run"]) == ("default", ["a"], 1)


async def test_two_hundred_open_pages_cost_the_server_one_feed(served, platform):
    """Whatever their number, each look at the database is one, and none of them holds a connection to it."""
    job = (await served.post("/v1/jobs", json=JOB)).json()
    limits = httpx2.Limits(max_connections=PAGES)
    async with (
        httpx2.AsyncClient(base_url=served.base_url, timeout=20, limits=limits) as client,
        AsyncExitStack() as open_,
    ):
        pages = [lines_of(await open_.enter_async_context(client.stream("GET", "/changes"))) for _ in range(PAGES)]
        for page in pages:
            assert [await anext(page), (await anext(page))[:4]] == ["retry: 2000", "id: "]
        assert len(served.feed._readers) == PAGES
        assert platform.database.engine.pool.checkedout() <= 1
        began = time.monotonic()
        with sent(platform.database) as said:
            await served.post(f"/v1/jobs/{job['job_id']}/cancel")
            told = [await next_data(page) for page in pages]
            looks = Counter(statement for statement, _ in said if "FROM perdure.job_events" in statement)
        seconds = time.monotonic() - began
    assert {one["jobs"][0]["job_id"] for one in told} == {job["job_id"]}
    assert 1 <= max(looks.values()) <= seconds / streaming.DEBOUNCE_SECONDS + 1


async def test_who_goes_away_leaves_nothing_behind(served):
    async with served.stream("GET", "/v1/stream") as response:
        await anext(lines_of(response))
        assert len(served.feed._readers) == 1
    async with asyncio.timeout(10):
        while served.feed._readers:  # noqa: ASYNC110 (nothing is told of it)
            await asyncio.sleep(0.01)


async def test_a_server_that_stops_waits_for_no_reader(served):
    async with served.stream("GET", "/v1/stream") as response:
        lines = lines_of(response)
        await anext(lines)
        began = time.monotonic()
        served.server.stop()
        assert [line async for line in lines][-1] == ""
        await served.serving
    assert time.monotonic() - began < 2


async def test_a_quiet_stream_says_that_it_lives(served, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    async with served.stream("GET", "/v1/stream") as response, asyncio.timeout(10):
        async for line in lines_of(response):
            if line == ": nothing new":
                return
    pytest.fail("the stream ended without a word")


async def test_a_key_that_is_revoked_ends_the_stream(served, platform, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(stream, "KEY_SECONDS", 0.0)
    keys = ApiKeys(platform.database)
    made = await keys.create("reader", [Scope.READ])
    headers = {"authorization": f"Bearer {made.token}"}
    async with served.stream("GET", "/v1/stream", headers=headers) as response, asyncio.timeout(10):
        assert response.status_code == 200
        await keys.revoke(made.key.key_id)
        assert [line async for line in lines_of(response)]


@pytest.mark.parametrize("query", [{"status": "DONE"}, {"event": "CREATED"}, {"job_id": "1"}, {"since": "0"}])
async def test_a_wrong_filter_is_refused(served, query):
    answer = await served.get("/v1/stream", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
