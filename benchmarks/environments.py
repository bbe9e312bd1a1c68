"""The peers' own environments: one per peer, with exactly the releases that ``peers.toml`` names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"


class Unavailable(Exception):
    """What is needed cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One system to compare with. ``service`` is what it stands on, ``outcome`` what of a finished job is durable."""

    name: str
    requirements: tuple[str, ...]
    service: str
    outcome: str
    mode: str
    variants: tuple[str, ...] = ()


def peers(mode: str) -> list[Peer]:
    """Those of ``mode``: ``full`` has all, the others the default ones."""
    listed = tomllib.loads((HERE / "peers.toml").read_text())
    found = [
        Peer(
            name,
            requirements=tuple(one["requirements"]),
            service=one["service"],
            outcome=one["outcome"],
            mode=one["mode"],
            variants=tuple(one.get("variants", ())),
        )
        for name, one in listed.items()
    ]
    return [one for one in found if mode == "full" or one.mode == "default"]


def environment_of(peer: Peer) -> Path:
    """The Python of the peer's environment, made if it is not there as named. Raises ``Unavailable``."""
    folder = ENVIRONMENTS / peer.name
    stamp, wanted = folder / "requirements.txt", "\n".join(peer.requirements)
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requirements)
        stamp.write_text(wanted)
    return python


def redis_server() -> Path:
    """The server's program; installed from the distribution's package where that is allowed. Raises ``Unavailable``."""
    found = shutil.which("redis-server")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        no_service = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        _run("apt-get", "install", "--yes", "--quiet", "redis-server", environment=no_service)
        found = shutil.which("redis-server")
    if found is None:
        raise Unavailable("there is no redis-server; install it from your distribution")
    return Path(found)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"`{command[0]} … {command[-1]}` failed: {''.join(last)[:200]}")
