"""Connections that break, on either side: the platform's to the database, and clients' to the server."""

import select
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.databases import create_database, run_aside
from tests.processes.forked import LOG, Forks
from tests.processes.test_crashes import until
from tests.processes.test_upgrade import flowing

from perdure.client.client import Client

pytestmark = pytest.mark.xdist_group("crashes")
TERMINATIONS = 8
PAUSE_SECONDS = 0.3
POOL_SIZE = 5
ALL_SENT = 50  # requests whose last byte was sent before their client hung up

# Of all who use the database but the one that asks.
TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
IN_TRANSACTION = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND state_change < now() - interval '1 s'
"""
WHOLE = """SELECT count(*) FROM perdure.jobs WHERE status = 'QUEUED' AND payload = '{"seconds": 0}'"""


def query(database_url: str, statement: str) -> int:
    async def run() -> int:
        connection = await asyncpg.connect(database_url)
        try:
            return int(await connection.fetchval(statement))
        finally:
            await connection.close()

    return run_aside(run())


def test_processes_outlive_their_connections(embedded_url: str, worker_id: str, tmp_path: Path):
    url = run_aside(create_database(embedded_url, f"connections_{worker_id}"))
    with Forks(tmp_path, database_url=url, database_pool_size=POOL_SIZE) as forks:
        server, worker = forks.start(serves=True), forks.start()
        assert worker.url is None
        with Client(server.url) as client:
            pause = threading.Event()
            with flowing(client) as flow:
                terminated = 0
                for _ in range(TERMINATIONS):
                    pause.wait(PAUSE_SECONDS)
                    terminated += query(url, TERMINATE)
            again = until(flow.submit, 2)
            ended = [client.wait(job_id, 30) for job_id in (*flow.accepted, again)]
            assert {job["status"] for job in ended} == {"SUCCEEDED"}
        assert server.is_alive
        assert worker.is_alive
        assert query(url, IN_TRANSACTION) == 0
    assert terminated > TERMINATIONS
    assert flow.refused or "loop.interrupted" in (tmp_path / LOG).read_text(), "they were at work"


def test_clients_that_hang_up_leave_nothing_open(embedded_url: str, worker_id: str, tmp_path: Path):
    url = run_aside(create_database(embedded_url, f"connections_{worker_id}"))
    body = b'{"job_type": "demo.sleep", "payload": {"seconds": 0}, "tags": ["%s"]}' % (b"x" * 50)
    with Forks(tmp_path, database_url=url, database_pool_size=POOL_SIZE) as forks:
        worker = forks.start()
        assert worker.url is None, "it has published its job types"
        worker.close()
        server = forks.start(serves=True)
        with Client(server.url) as client:
            host = urlsplit(server.url)
            request = b"POST /v1/jobs HTTP/1.1\r\nHost: %s\r\n" % host.netloc.encode()
            request += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body

            def hang_up(number: int) -> None:
                with socket.create_connection((host.hostname, host.port)) as connection:
                    connection.sendall(request[: len(request) * (number + 1) // ALL_SENT])
                    if number >= ALL_SENT + ALL_SENT // 2:
                        assert select.select([connection], [], [], 40)[0], "answered, though nobody will read it"

            with ThreadPoolExecutor(10) as threads:
                list(threads.map(hang_up, range(2 * ALL_SENT)))
                list(threads.map(lambda _: client.submit("demo.sleep", {"seconds": 0}), range(4 * POOL_SIZE)))
            jobs = query(url, "SELECT count(*) FROM perdure.jobs")
            assert 4 * POOL_SIZE + ALL_SENT // 2 <= jobs <= 4 * POOL_SIZE + ALL_SENT + 1
            assert jobs == query(url, WHOLE), "each is there as a whole, or is not there"
        assert query(url, IN_TRANSACTION) == 0
    assert '"level": "error"' not in (tmp_path / LOG).read_text()
