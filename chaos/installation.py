"""An installation for one phase of a run: a database, a provider of mail, servers and workers, all of it new."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from chaos import ambiguous_commits, records, server
from chaos.mail_stand_in import MailStandIn
from chaos.processes import ROOT, Program
from chaos.proxy import Proxy
from chaos.server import Server

START_SECONDS = 60.0
LOOK_SECONDS = 0.05
KEEP_SECONDS = 0.25
ALONE_SECONDS = 4.0
"""A parent whose children were killed again and again waits ever longer before it starts another: not in a run."""
_LIVE_WORKERS = "SELECT process_id FROM perdure.workers WHERE lease_until > clock_timestamp()"


@dataclass(slots=True)
class Installation:
    """What runs, and the ways to add to it. Programs that end are started again while ``keep`` runs."""

    server: Server
    mail: MailStandIn
    chance: random.Random
    directory: Path
    environment: dict[str, str]
    servers: dict[str, Program] = field(default_factory=dict)
    """By URL."""
    workers: list[Program] = field(default_factory=list)

    @property
    def programs(self) -> list[Program]:
        return [*self.servers.values(), *self.workers]

    def serve(self, proxy: Proxy | None = None, *, ambiguous_share: float = 0.0) -> None:
        """Adds a server."""
        module = "chaos.ambiguous_commits" if ambiguous_share else "perdure"
        port = _free_port()
        command = ["-m", module, "serve", "--port", str(port)]
        name = f"server-{len(self.servers) + 1}"
        self.servers[f"http://127.0.0.1:{port}"] = self._start(name, command, proxy, ambiguous_share)

    def work(
        self, proxy: Proxy | None = None, *, processes: int = 1, ambiguous_share: float = 0.0, **environment: str
    ) -> None:
        """Adds a worker of so many processes."""
        command = ["-m", "perdure", "worker", "--processes", str(processes)]
        name = f"worker-{len(self.workers) + 1}"
        self.workers.append(self._start(name, command, proxy, ambiguous_share, **environment))

    def _start(
        self, name: str, command: list[str], proxy: Proxy | None, ambiguous_share: float, **environment: str
    ) -> Program:
        own = environment | {ambiguous_commits.SHARE: str(ambiguous_share)}
        own["PERDURE_DATABASE_URL"] = self.server.url if proxy is None else proxy.url
        program = Program(name, command, self.environment | own, self.directory, proxy)
        program.start()
        return program

    async def ready(self) -> None:
        """Returns once every program answers or holds a lease."""
        until = time.monotonic() + START_SECONDS
        while late := [
            *await self.idle_workers(),
            *(server for url, server in self.servers.items() if not _answers(url)),
        ]:
            if time.monotonic() > until:
                names = ", ".join(one.name for one in late)
                raise TimeoutError(f"Not up after {START_SECONDS:.0f} s: {names}. Their logs are in {self.directory}.")
            await asyncio.sleep(LOOK_SECONDS)

    async def idle_workers(self) -> list[Program]:
        """The workers of which no process holds a lease."""
        alive = {row["process_id"] for row in await self.server.query(_LIVE_WORKERS)}
        return [one for one in self.workers if not alive & {process.pid for process in one.processes()}]

    async def keep(self) -> None:
        """Starts what has ended again, until cancelled; and a worker anew that waits long to replace a dead child."""
        alone_since: dict[str, float] = {}
        while True:
            for program in self.programs:
                if not program.is_alive:
                    program.start()
            alone = [worker for worker in self.workers if worker.has_lost_children()]
            alone_since = {one.name: alone_since.get(one.name, time.monotonic()) for one in alone}
            for worker in alone:
                if time.monotonic() - alone_since[worker.name] > ALONE_SECONDS:
                    worker.close()
                    worker.start()
            await asyncio.sleep(KEEP_SECONDS)


@asynccontextmanager
async def installed(
    directory: Path, chance: random.Random, *, lease_seconds: float, source: Path | None = None
) -> AsyncIterator[Installation]:
    """A new installation without any process, below ``directory``; ``source`` replaces the platform's own code."""
    await asyncio.to_thread(directory.mkdir)
    mail = MailStandIn(chance)
    async with server.started(directory / "database") as database, mail.running():
        own = _environment(directory, mail, lease_seconds, source)
        await _upgrade(own | {"PERDURE_DATABASE_URL": database.url})
        await records.install(database)
        made = Installation(database, mail, chance, directory, own)
        try:
            yield made
        finally:
            for program in made.programs:
                program.close()


def _environment(directory: Path, mail: MailStandIn, lease_seconds: float, source: Path | None) -> dict[str, str]:
    paths = [source, ROOT, os.environ.get("PYTHONPATH")]
    return {
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "PERDURE_DATA_DIR": str(directory / "data"),
        "PERDURE_PROCESSORS": "chaos.processors",
        "PERDURE_LEASE_SECONDS": str(lease_seconds),
        "PERDURE_DRAIN_SECONDS": "1",
        "PERDURE_CONCURRENCY": "4",
        "PERDURE_DATABASE_POOL_SIZE": "3",
        "PERDURE_LOG_FORMAT": "json",
        "PERDURE_LOG_LEVEL": "warning",
        "PERDURE_EMAIL_RETRY_SECONDS": "0.2,0.4,0.8,1,1,1,1",
        "MAILTRAP_API_KEY": "chaos",
        "MAILTRAP_INBOX_ID": "1",
        "MAILTRAP_API_HOST": mail.host,
    }


async def _upgrade(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "perdure", "db", "upgrade"]
    await asyncio.to_thread(subprocess.run, command, env=os.environ | environment, check=True, capture_output=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except OSError:
        return False
    return True
