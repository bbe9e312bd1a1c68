"""Where the demo runs: on a platform started for the occasion and stopped again, or on the running one named to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from perdure.cli import demo_report as report
from perdure.errors import ConfigurationError

if TYPE_CHECKING:
    from perdure.client.client import Client

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.1
LAST_WORDS = 5
"""How many lines of a log are shown when the platform did not start."""


@contextmanager
def opened(url: str | None, data_dir: Path | None) -> Iterator[Client]:
    """A client of the platform at ``url`` or PERDURE_URL; if neither is given, of one of the demo's own.

    The demo's own lives in ``data_dir`` and leaves its data there, or in a temporary directory that is removed.
    """
    from perdure.client.client import Client

    url = url or os.environ.get("PERDURE_URL")
    if url is not None:
        with Client(url) as client:
            yield client
        return
    with _home(data_dir) as home:
        report.starting(home)
        with _started(home) as own_url, Client(own_url) as client:
            yield client


@contextmanager
def _home(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"--data-dir cannot be used ({error.strerror}). Choose another.") from None
        yield data_dir.absolute()
        return
    home = Path(tempfile.mkdtemp(prefix="perdure-demo-"))
    try:
        yield home
    finally:
        _remove(home)


@contextmanager
def _started(home: Path) -> Iterator[str]:
    """The URL of `perdure dev`, run on a free port, with its own database and inbox."""
    log = home / "demo.log"
    # It ends when this process does, even by a kill -9: the pipe's writing end is ours alone.
    reading_end, writing_end = os.pipe()
    try:
        with log.open("wb") as output, _process(home, output, reading_end) as process:
            yield _ready_url(process, log)
    finally:
        os.close(reading_end)
        os.close(writing_end)


@contextmanager
def _process(home: Path, log: BinaryIO, parent_pipe: int) -> Iterator[subprocess.Popen[bytes]]:
    from perdure.workers.stopping import PARENT_PIPE

    # Whatever the user's environment says: no setting of it reaches the demo, and no mail leaves this machine.
    theirs = ("PERDURE_", "MAILTRAP_", "MAIL_FROM_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    process = subprocess.Popen(
        [sys.executable, "-m", "perdure", "dev", "--port", "0", "--data-dir", str(home), "--json"],
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment | {PARENT_PIPE: str(parent_pipe)},
        pass_fds=(parent_pipe,),
        cwd=home,  # so that no `.env` of the user's is read
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready_url(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the server names in its first line. It names none only when it could not start."""
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    line = process.stdout.readline() if process.stdout is not None else b""
    too_late.cancel()
    if not line:
        said = log.read_text(errors="replace").strip().splitlines()[-LAST_WORDS:]
        raise ConfigurationError("The platform did not start. It said:\n" + "\n".join(said))
    return str(json.loads(line)["url"])


def _remove(home: Path) -> None:
    """Removes the demo's directory once its database has stopped writing into it."""
    until = time.monotonic() + STOP_SECONDS
    while any(home.glob("postgres/data-*/postmaster.pid")) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    shutil.rmtree(home, ignore_errors=True)
