"""The services that systems stand on: PostgreSQL and Redis, each started for the run, on loopback, as they come."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg

from benchmarks.environments import redis_server
from perdure.db.embedded import EmbeddedPostgres

REDIS_START_SECONDS = 10


@contextmanager
def postgresql(directory: Path) -> Iterator[str]:
    """Perdure's own embedded PostgreSQL: durable as it comes, and the same server for every system."""
    with EmbeddedPostgres(directory) as url:
        yield url.asyncpg


def fresh_database(server_url: str, name: str) -> str:
    """A new database on the server, and the way to it."""
    asyncio.run(_create(server_url, name))
    path, _, query = server_url.partition("?")
    return f"{path.rpartition('/')[0]}/{quote(name)}?{query}"


async def _create(server_url: str, name: str) -> None:
    connection = await asyncpg.connect(server_url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    """A Redis with the defaults of its package, so of what was written last nothing outlives a crash.

    They are: a snapshot after 60 seconds in which 10,000 keys changed (300 and 100, 3,600 and 1), no append-only file.
    """
    directory.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", directory]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL) as process:
        try:
            _await_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _await_port(port: int) -> None:
    deadline = time.monotonic() + REDIS_START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
