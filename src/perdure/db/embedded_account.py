"""Under which account the server's programs run. PostgreSQL refuses to be root, and we do not touch the machine.

An ordinary user runs them as is. Root runs them in a user namespace in which it is somebody else: no account is
added and no permission changed. Where namespaces are refused (many containers), root steps down to ``nobody``, with
the programs copied and the data kept under ``/var/lib/perdure`` if the usual places cannot be reached by it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.errors import EmbeddedServerError

FALLBACK = Path("/var/lib/perdure")


@dataclass(frozen=True, slots=True)
class Account:
    """How to run a program of the server: ``prefix`` goes before it; ``user_id`` is stepped down to when not None."""

    prefix: tuple[str, ...] = ()
    user_id: int | None = None

    def run(self, *command: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs it to its end, its output captured, in a session of its own (a Ctrl-C is not for it)."""
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            cwd="/",
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
            os.chown(path, self.user_id, self.user_id)


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


def reachable_programs(account: Account, programs: Path) -> Path:
    """``programs`` (the directory of binaries), or a copy that the account can run."""
    if account.can_reach(programs / "postgres"):
        return programs
    installation = programs.parent
    copy = FALLBACK / installation.name
    if not (copy / "bin" / "postgres").exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        FALLBACK.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(installation, unfinished, symlinks=True)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(unfinished)
    return copy / "bin"


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise EmbeddedServerError(
            "PostgreSQL does not run as root and there is no account `nobody` to step down to. "
            "Run Perdure as an ordinary user, or set PERDURE_DATABASE_URL."
        ) from None
