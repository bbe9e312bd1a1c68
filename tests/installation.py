"""Real processes of the platform, started as a user would, on the test's database."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from perdure.client.client import Client


class Process:
    """One process of ours; its standard error is kept for when a test fails."""

    def __init__(self, arguments: list[str], environment: dict[str, str], directory: Path) -> None:
        self.log = directory / f"{arguments[0]}-{len(list(directory.glob('*.log')))}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "perdure", *arguments, "--json"],
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=directory,
            )
        line = self._process.stdout.readline()
        assert line, f"it did not start: {self.log.read_text()}"
        self.ready = json.loads(line)
        self.pid = self._process.pid

    def kill(self) -> None:
        """kill -9, and its end awaited."""
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Installation:
    """Starts servers and workers that belong together."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._processes: list[Process] = []

    def start(self, *arguments: str, **environment: str) -> Process:
        process = Process(list(arguments), self._environment | environment, self._directory)
        self._processes.append(process)
        return process

    def serve(self, **environment: str) -> Process:
        return self.start("serve", "--port", "0", **environment)

    def work(self, *arguments: str, **environment: str) -> Process:
        return self.start("worker", *arguments, **environment)

    def close(self) -> None:
        for process in self._processes:
            process.close()


@contextmanager
def installed(database_url: str, directory: Path) -> Iterator[Installation]:
    """An installation on the given database; what it started ends with the block. Its folder becomes the file store."""
    with ThreadPoolExecutor(1) as thread:  # aside: a loop may run here already
        thread.submit(asyncio.run, _forget_file_store(database_url)).result()
    environment = {
        "PERDURE_DATABASE_URL": database_url,
        "PERDURE_DATA_DIR": str(directory / "data"),
        "PERDURE_LEASE_SECONDS": "1.5",
        "PERDURE_EMAIL_RETRY_SECONDS": "0.2,0.2,0.2,0.2,0.2",
    }
    made = Installation(directory, environment)
    try:
        yield made
    finally:
        made.close()


async def _forget_file_store(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("DELETE FROM perdure.file_store")
    finally:
        await connection.close()


@pytest.fixture
def installation(database, embedded_url: str, tmp_path: Path) -> Iterator[Installation]:
    with installed(embedded_url, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def server_url(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that all tests of a module share; workers are each test's own."""
    with installed(embedded_url, tmp_path_factory.mktemp("server")) as made:
        # No notifier: it would take, unconfigured, what a test means for the provider of its own processes.
        yield made.serve(PERDURE_RUN_NOTIFIER="false").ready["url"]


@pytest.fixture
def client(server_url: str) -> Iterator[Client]:
    with Client(server_url) as client:
        yield client
