"""Submissions over HTTP, one job a request, 64 connections: Perdure's server beside the plainest one and the leanest.

The load comes from a process of its own that speaks HTTP/1.1 over bare sockets, so that it costs as little as may be.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from benchmarks.counters import JUDGED_SHARE
from benchmarks.figures import Figure, percentile
from benchmarks.scripted import ROOT, System
from benchmarks.sizes import Sizes
from benchmarks.works import Rates
from perdure.client.client import Client

CONNECTIONS = 64
_BODY = b'{"job_type":"bench.noop","payload":{"n":1}}'


def submit_over_http(system: System, bare: System, sizes: Sizes) -> Iterator[Figure]:
    """Requests a second, each answered after its commit; how long one takes, and what it costs the server.

    A server's CPU a request says more than the rate where load, server and database share two cores.
    """
    for name, one, command in (
        ("perdure serve", system, ["perdure", "serve", "--port", "0", "--json", "--database-url", system.url]),
        ("Starlette, msgspec, coalesced INSERTs", bare, ["benchmarks.systems.coalescing_http", bare.url]),
        ("bare FastAPI, one INSERT a request", bare, ["benchmarks.systems.bare_http", bare.url]),
    ):
        one.call("prepare")
        with serving(command) as server:
            _load(server.url, sizes.requests // 10)
            before = server.cpu_seconds()
            loaded = _load(server.url, sizes.requests)
            cpu_seconds = server.cpu_seconds() - before
        yield Figure("HTTP submit", name, loaded.rate, "1/s")
        yield Figure("HTTP submit, p99", name, loaded.p99_ms, "ms")
        yield Figure("HTTP submit, the server's CPU a request", name, 1e6 * cpu_seconds / sizes.requests, "us")


def bulk_over_http(system: System, sizes: Sizes, rates: Rates) -> Iterator[Figure]:
    """Jobs in bulk by the client library: through a server, as NDJSON."""
    count = rates.count("drain", system, sizes.drain_seconds / JUDGED_SHARE)
    system.call("prepare")
    command = ["perdure", "serve", "--port", "0", "--json", "--database-url", system.url]
    with serving(command) as server, Client(server.url) as client:
        list(client.submit_many(_jobs(1_000)))
        started = time.perf_counter()
        stored = [one for one in client.submit_many(_jobs(count)) if "job_id" in one]
        seconds = time.perf_counter() - started
    if len(stored) != count:
        raise RuntimeError(f"{len(stored):,} jobs were stored where {count:,} were sent")
    yield Figure("bulk submit", "perdure, by its client over HTTP", count / seconds, "1/s")


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    return ({"job_type": "bench.noop", "payload": {"n": number}} for number in range(count))


@dataclass(frozen=True, slots=True)
class _Loaded:
    rate: float
    p99_ms: float


class Server(NamedTuple):
    url: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        return float(sum(self.process.cpu_times()[:2]))


@contextmanager
def serving(command: list[str]) -> Iterator[Server]:
    environment = {"PERDURE_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            yield Server(json.loads(process.stdout.readline())["url"], psutil.Process(process.pid))
        finally:
            process.terminate()


def _load(url: str, count: int) -> _Loaded:
    command = [sys.executable, "-m", "benchmarks.http_load", url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return _Loaded(**json.loads(done.stdout))


async def _client(host: str, port: int, turns: Iterator[int], taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    request = (
        b"POST /v1/jobs HTTP/1.1\r\nhost: %s:%d\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
        % (host.encode(), port, len(_BODY), _BODY)
    )
    for _ in turns:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(head.decode())
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        taken.append(time.perf_counter() - started)
    writer.close()


async def _run(url: str, count: int) -> _Loaded:
    parts = urlsplit(url)
    turns, taken = iter(range(count)), list[float]()
    started = time.perf_counter()
    await asyncio.gather(*(_client(parts.hostname or "", parts.port or 0, turns, taken) for _ in range(CONNECTIONS)))
    return _Loaded(count / (time.perf_counter() - started), 1000 * percentile(taken, 0.99))


if __name__ == "__main__":
    loaded = asyncio.run(_run(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(json.dumps({"rate": loaded.rate, "p99_ms": loaded.p99_ms}))
