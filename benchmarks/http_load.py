"""Submissions over HTTP, one job a request, 64 connections: Perdure's server beside the plainest one.

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
from urllib.parse import urlsplit

from benchmarks.figures import Figure, percentile
from benchmarks.scripted import ROOT, System
from benchmarks.sizes import Sizes

CONNECTIONS = 64
_BODY = b'{"job_type":"bench.noop","payload":{"n":1}}'


def submit_over_http(system: System, bare: System, sizes: Sizes) -> Iterator[Figure]:
    """Requests a second, each answered after its commit, and how long one takes."""
    for name, one, command in (
        ("perdure serve", system, ["perdure", "serve", "--port", "0", "--json", "--database-url", system.url]),
        ("bare FastAPI, one INSERT a request", bare, ["benchmarks.systems.bare_http", bare.url]),
    ):
        one.call("prepare")
        with serving(command) as url:
            _load(url, sizes.requests // 10)
            loaded = _load(url, sizes.requests)
        yield Figure("HTTP submit", name, loaded.rate, "1/s")
        yield Figure("HTTP submit, p99", name, loaded.p99_ms, "ms")


@dataclass(frozen=True, slots=True)
class _Loaded:
    rate: float
    p99_ms: float


@contextmanager
def serving(command: list[str]) -> Iterator[str]:
    environment = {"PERDURE_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            yield json.loads(process.stdout.readline())["url"]
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
