"""What every test stands on: a real PostgreSQL, one database per test process, emptied after each test.

The user's own environment is left out: no ``PERDURE_*``, ``DATABASE_URL`` or provider variable reaches a test.
"""

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from sqlalchemy import text
from tests.databases import create_database, empty, run_aside
from tests.installation import client, installation, server_url

from perdure.bootstrap import Platform, opened_platform
from perdure.db.embedded import EmbeddedPostgres
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.settings import Settings
from perdure.signals import Signals
from perdure.telemetry import logs

__all__ = ["client", "installation", "server_url"]

for name in list(os.environ):
    if name.startswith(("PERDURE_", "MAILTRAP_", "MAIL_FROM_")) or name == "DATABASE_URL":
        del os.environ[name]

# A slow machine is no finding. Where CI is set, the examples are the same at every run; of a mutant (`make mutants`)
# the first failure will do, and nobody looks for a shorter one.
hypothesis.settings.register_profile(
    "perdure",
    hypothesis.settings.get_profile("ci" if os.environ.get("CI") else "default"),
    deadline=None,
    phases=[hypothesis.Phase.generate] if os.environ.get("MUTANT") else list(hypothesis.Phase),
)
hypothesis.settings.load_profile("perdure")

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
SERVERS = ["embedded", *(["postgresql-15"] if (POSTGRES_15 / "initdb").exists() else [])]


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all processes of this test run share."""
    root = tmp_path_factory.getbasetemp()
    return root if worker_id == "master" else root.parent


@pytest.fixture(scope="session")
def embedded_url(shared_directory: Path, worker_id: str) -> Iterator[str]:
    """A fresh database of this test process on the embedded server that all of them share."""
    with EmbeddedPostgres(shared_directory / "embedded") as url:
        yield run_aside(create_database(url.asyncpg, f"test_{worker_id}"))


@pytest.fixture(scope="session")
def postgres_15_url(worker_id: str) -> Iterator[str]:
    """A fresh database on a PostgreSQL 15 of its own, where one is installed."""
    directory = Path(tempfile.mkdtemp(prefix="perdure-pg15-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(directory, user)
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
    data = directory / "data"

    def run(*command: str) -> None:
        subprocess.run([POSTGRES_15 / command[0], *command[1:]], check=True, user=user, stdout=subprocess.DEVNULL)

    run("initdb", "--pgdata", str(data), "--username=perdure", "--auth=trust", "--no-sync")
    run("pg_ctl", "--pgdata", str(data), "--wait", "--silent", "--log", str(directory / "log"), "-o", options, "start")
    try:
        url = f"postgresql://perdure@/postgres?host={directory}"
        yield run_aside(create_database(url, f"test_{worker_id}"))
    finally:
        run("pg_ctl", "--pgdata", str(data), "--mode=immediate", "--silent", "stop")
        shutil.rmtree(directory)


@pytest.fixture
async def database(embedded_url: str) -> AsyncIterator[Database]:
    """The platform's database: migrated, empty, its clock read."""
    database = Database(DatabaseUrl.parse(embedded_url))
    await database.read_clock()
    yield database
    await empty(database)
    await database.close()


@pytest.fixture(params=SERVERS)
async def any_database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Like ``database``, on every PostgreSQL that is there: the embedded one, and the oldest supported."""
    fixture = "embedded_url" if request.param == "embedded" else "postgres_15_url"
    database = Database(DatabaseUrl.parse(request.getfixturevalue(fixture)), pool_size=8)  # tests play several parties
    await database.read_clock()
    yield database
    await empty(database)
    await database.close()


@pytest.fixture
def settings(embedded_url: str, tmp_path: Path) -> Settings:
    return Settings.read(
        environment={},
        database_url=embedded_url,
        data_dir=tmp_path / "data",
        lease_seconds=5.0,
        drain_seconds=1.0,
        email_retry_seconds=(0.05, 0.05),
    )


@pytest.fixture
def signals() -> Signals:
    return Signals()


@pytest.fixture
def logging_to(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], io.StringIO]]:
    """Configures the logs (format, level) and returns what is written to."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def configure(log_format: str, level: str) -> io.StringIO:
        stream = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            logs.configure(log_format, level)
        return stream

    yield configure
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.fixture
def lines(logging_to: Callable[[str, str], io.StringIO]) -> Callable[[], list[dict]]:
    """Reads back the lines that were logged since, decoded from JSON."""
    stream = logging_to("json", "info")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
async def platform(settings: Settings, signals: Signals, database: Database) -> AsyncIterator[Platform]:
    """The joined parts of a process, on the emptied database. Nothing runs yet: see ``Platform.runtime``."""
    async with opened_platform(settings, signals=signals) as platform:
        async with database.transaction() as connection:  # another module's server may have made one
            await connection.execute(text("DELETE FROM perdure.file_store"))
        await platform.file_commands.establish()  # as a server does
        yield platform
