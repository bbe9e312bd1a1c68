"""Real processes of the platform, started as a user would, on the test's database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from tests.databases import empty_url, run_aside

from perdure.client.client import Client


def until(condition, seconds=40.0):
    """What ``condition`` returns once it is true. Each look asks another process, so this does not spin."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
    raise AssertionError("it did not come to pass")


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

    @property
    def children(self) -> list[psutil.Process]:
        """The worker processes of a parent."""
        return psutil.Process(self.pid).children()

    def kill(self) -> None:
        """kill -9 of all of it, as when the machine goes; its end is awaited."""
        self._process.send_signal(signal.SIGSTOP)  # or it might start another child
        for child in self.children:
            child.kill()
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def said(self) -> str:
        """What it wrote to standard output after its first line, to the end. Ask when it has stopped."""
        return self._process.stdout.read().decode()

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()
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

    def fail(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, which is expected to come by itself."""
        return subprocess.run(
            [sys.executable, "-m", "perdure", *arguments],
            env=os.environ | self._environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def close(self) -> None:
        for process in self._processes:
            process.close()


@contextmanager
def installed(database_url: str, directory: Path) -> Iterator[Installation]:
    """An installation on the given database, which is empty after the block; what it started ends with it.

    Its folder becomes the file store.
    """
    run_aside(_forget_file_store(database_url))
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
        run_aside(empty_url(database_url))


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
