"""Under which account the server's programs run. PostgreSQL refuses to be root, and we do not touch the machine.

An ordinary user runs them as is. Root runs them in a user namespace in which it is somebody else: no account is
added and no permission changed. Where namespaces are refused (many containers), root steps down to ``nobody``, with
the programs copied and the data kept under ``/var/lib/perdure`` if the usual places cannot be reached by it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.errors import EmbeddedServerError

FALLBACK = Path("/var/lib/perdure")
HANDED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""All that the server sees of our environment: the rest holds secrets, and variables that would steer PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Account:
    """How to run a program of the server: ``prefix`` goes before it; ``user_id`` is stepped down to when not None."""

    prefix: tuple[str, ...] = ()
    user_id: int | None = None

    def run(
        self, *command: str | Path, text: str | None = None, folder: Path = Path("/")
    ) -> subprocess.CompletedProcess[str]:
        """Runs it in ``folder`` to its end, its output captured, in a session of its own (a Ctrl-C is not for it)."""
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            cwd=folder,
            env={name: os.environ[name] for name in HANDED_ON if name in os.environ},
            **self.step_down(),
        )

    def step_down(self) -> dict[str, Any]:
        """The arguments that make ``subprocess`` run a program as this account."""
        if self.user_id is None:
            return {}
        return {"user": self.user_id, "group": self.user_id, "extra_groups": []}

    def can_reach(self, path: Path) -> bool:
        return self.run("test", "-x", path).returncode == 0

    def own(self, path: Path) -> None:
        if self.user_id is not None:
            os.chown(path, self.user_id, self.user_id, follow_symlinks=False)

    def write(self, path: Path, text: str, *, append: bool = False) -> None:
        """Writes as the account. Root itself must not: in a folder of another it could be led astray by a link."""
        done = self.run("tee", *(["-a"] if append else []), path, text=text)
        if done.returncode != 0:
            raise EmbeddedServerError(f"{path} cannot be written: {done.stderr.strip()}. Check that the disk has room.")


def choose_account() -> Account:
    """The account for this process's user and this machine's rules."""
    if os.geteuid() != 0:
        return Account()
    nobody = _nobody()
    # initdb looks its user up, so the namespace maps root to one that has a name.
    in_namespace = Account(prefix=("unshare", "--user", f"--map-user={nobody}", f"--map-group={nobody}"))
    if shutil.which("unshare") and in_namespace.run("true").returncode == 0:
        return in_namespace
    return Account(user_id=nobody)


def fallback() -> Path:
    """The folder for what the account cannot reach elsewhere: everybody may pass through, whatever the umask is."""
    FALLBACK.mkdir(parents=True, exist_ok=True)
    FALLBACK.chmod(0o755)
    return FALLBACK


def reachable_programs(account: Account, programs: Path) -> Path:
    """``programs`` (the directory of binaries), or a copy that the account can run."""
    if account.can_reach(programs / "postgres"):
        return programs
    original = (programs / "postgres").stat()  # its version, in effect: a newer wheel gets a copy of its own
    copy = fallback() / f"programs-{original.st_size:x}-{int(original.st_mtime):x}"
    package = programs.parent.parent
    copied = copy / programs.relative_to(package.parent)
    if not (copied / "postgres").exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        # The libraries that the wheel's builder (auditwheel, delocate) laid beside are found by their relative place.
        for folder in (programs.parent, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.relative_to(package.parent), symlinks=True)
        _open_to_all(unfinished)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(unfinished)
    return copied


def _open_to_all(folder: Path) -> None:
    """Lets everybody read and run what its owner can: under a strict umask nobody else could."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise EmbeddedServerError(
            "PostgreSQL does not run as root and there is no account `nobody` to step down to. "
            "Run Perdure as an ordinary user, or set PERDURE_DATABASE_URL."
        ) from None
