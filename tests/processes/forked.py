"""Processes of the platform, forked from one that has loaded everything, for a start costs a second."""

import asyncio
import functools
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import uvloop

from perdure import app, bootstrap
from perdure.processors.registry import BUILTIN
from perdure.settings import Settings

LOG = "processes.log"


class ForkedProcess:
    """A worker, or a server where it ``serves``; ``prepare`` is called in it first, and must be known by its name."""

    def __init__(self, directory: Path, prepare: Callable[[], None], *, serves: bool = False, **settings: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, *BUILTIN])
        self._said, there = context.Pipe()
        self._process = context.Process(
            target=_run, args=(directory, prepare, there, settings), kwargs={"serves": serves}, daemon=True
        )
        self._process.start()
        there.close()

    @functools.cached_property
    def url(self) -> str | None:
        """Where it serves, once it does; None for a worker, once it claims."""
        said: str | None = self._said.recv()
        return said

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def end(self, seconds: float = 60.0) -> int | None:
        """How it ended, which it does within ``seconds``: its exit code, or minus the number of a signal."""
        self._process.join(seconds)
        return self._process.exitcode

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._said.close()


class Forks:
    """Processes that belong together, each with these settings and its own; all end with the block."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self._directory = directory
        self._settings = {"data_dir": directory / "data", "port": 0} | settings
        self._started: list[ForkedProcess] = []

    def start(
        self, prepare: Callable[[], None] | None = None, *, serves: bool = False, **settings: Any
    ) -> ForkedProcess:
        process = ForkedProcess(self._directory, prepare or nothing, serves=serves, **self._settings | settings)
        self._started.append(process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._started:
            process.close()


def nothing() -> None:
    """Prepares nothing."""


def _run(
    directory: Path, prepare: Callable[[], None], told: Connection, settings: dict[str, Any], *, serves: bool
) -> None:
    """What the forked process does."""
    os.chdir(directory)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    prepare()
    made = Settings.read(environment={}, **settings)
    if serves:
        main = app.serve(made, run_worker=False, with_inbox=False, ready=lambda url, _asks_for_keys: told.send(url))
    else:
        main = bootstrap.work(made, ready=lambda: told.send(None))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
