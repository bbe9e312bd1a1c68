"""A system under test, driven through its script (``systems/``) in the environment it was installed into."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.counters import Counters

ROOT = Path(__file__).parents[1]
COMMAND_SECONDS = 600
READY_SECONDS = 60
"""How long a worker may take to say that it is ready: one that never does must not hold up the others for ever."""


@dataclass(frozen=True, slots=True)
class System:
    """``name`` as reported; ``script`` under ``systems/``; ``python`` of its environment; ``url`` of its store."""

    name: str
    script: str
    python: Path
    url: str
    counters: Counters
    directory: Path
    expected_rate: float
    outcome: str
    variant: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def call(self, command: str, *numbers: int) -> dict[str, Any]:
        """Runs a command of the script to its end and returns what it says."""
        done = subprocess.run(
            self._command(command, *numbers),
            env=self._environment(0),
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            cwd=ROOT,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {command}: {done.stderr.strip()[-2000:]}")
        return dict(json.loads(done.stdout.strip().splitlines()[-1]))

    @contextmanager
    def working(self, processes: int = 2, latencies: Path | None = None) -> Iterator[list[subprocess.Popen[str]]]:
        """So many worker processes; the block begins when all of them are ready."""
        log = (self.directory / f"{self.script}.log").open("a")
        started = [
            subprocess.Popen(
                self._command("work"),
                env=self._environment(slot, latencies),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )
            for slot in range(processes)
        ]
        try:
            for process in started:
                if not _says_ready(process):
                    raise RuntimeError(f"{self.name}: a worker did not start: {Path(log.name).read_text()[-2000:]}")
            yield started
        finally:
            _stop(started)
            log.close()

    def analyze(self) -> None:
        """Gives the planner of a PostgreSQL system its statistics, as autovacuum would a little later."""
        if self.url.startswith("postgres"):
            asyncio.run(_analyze(self.url))

    def trouble(self, workers: list[subprocess.Popen[str]]) -> str | None:
        """What is wrong with the workers, if something is."""
        ended = [worker.returncode for worker in workers if worker.poll() is not None]
        return f"{self.name}: workers ended with {ended}; see {self.directory / self.script}.log" if ended else None

    def _command(self, command: str, *numbers: int) -> list[str]:
        return [str(self.python), "-m", f"benchmarks.systems.{self.script}", command, *map(str, numbers)]

    def _environment(self, slot: int, latencies: Path | None = None) -> dict[str, str]:
        ours = {
            "BENCH_URL": self.url,
            "BENCH_COUNTERS": str(self.counters.path),
            "BENCH_SLOT": str(slot),
            "BENCH_VARIANT": self.variant,
            "BENCH_LATENCIES": "" if latencies is None else str(latencies),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        return os.environ | dict(self.environment) | ours


def _says_ready(worker: subprocess.Popen[str]) -> bool:
    """Whether it writes its first line in time; one that ended before never does."""
    if worker.stdout is None or not select.select([worker.stdout], [], [], READY_SECONDS)[0]:
        return False
    return worker.stdout.readline() != ""


async def _analyze(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _stop(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
