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
MODES = ("quick", "default", "full")
NEWER_VERSIONS = 4
"""How many minor versions of Python are looked for."""


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
    expected_rate: float
    variants: tuple[str, ...] = ()
    python: str = "3.11"
    """The oldest Python that it runs on."""


def peers(mode: str) -> list[Peer]:
    """Those that ``mode`` measures: each longer mode has those of the shorter ones too."""
    listed = tomllib.loads((HERE / "peers.toml").read_text())
    found = [
        Peer(
            name,
            requirements=tuple(one["requirements"]),
            service=one["service"],
            outcome=one["outcome"],
            mode=one["mode"],
            expected_rate=one["expected_rate"],
            variants=(*one.get("variants", ()), *(one.get("more_variants", ()) if mode == "full" else ())),
            python=one.get("python", "3.11"),
        )
        for name, one in listed.items()
    ]
    return [one for one in found if MODES.index(one.mode) <= MODES.index(mode)]


def environment_of(peer: Peer) -> Path:
    """The Python of the peer's environment, made if it is not there as named. Raises ``Unavailable``."""
    folder = ENVIRONMENTS / peer.name
    stamp, wanted = folder / "requirements.txt", "\n".join(peer.requirements)
    python = folder / "bin" / "python"
    if not python.exists() or not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, peer)
        stamp.write_text(wanted)
    return python


def _make(folder: Path, python: Path, peer: Peer) -> None:
    interpreter = _interpreter(peer.python)
    own_uv = Path(sys.executable).with_name("uv")
    uv = str(own_uv) if own_uv.exists() else shutil.which("uv")
    if uv is not None:
        _run(uv, "venv", "--quiet", "--python", interpreter, str(folder))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *peer.requirements)
    else:
        _run(interpreter, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requirements)


def _interpreter(oldest: str) -> str:
    """Ours, or the oldest other one that is new enough. Asked where it lies, since what is found may be a shim."""
    major, minor = map(int, oldest.split("."))
    if sys.version_info >= (major, minor):
        return sys.executable
    for version in range(minor, minor + NEWER_VERSIONS):
        name = f"{major}.{version}"
        found = shutil.which(f"python{name}")
        if found is None:
            continue
        told = subprocess.run(
            (found, "-c", "import sys; print(sys.executable)"),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYENV_VERSION": name},  # a shim of pyenv starts only what is named
        )
        if told.returncode == 0:
            return told.stdout.strip()
    raise Unavailable(f"it needs Python {oldest} or newer, and there is none")


def redis_server() -> Path:
    """The server's program; installed from the distribution's package where that is allowed. Raises ``Unavailable``."""
    found = shutil.which("redis-server")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update", "--quiet")
        _run(
            "apt-get", "install", "--yes", "--quiet", "redis-server", environment={"DEBIAN_FRONTEND": "noninteractive"}
        )
        if Path("/run/systemd/system").exists():
            _run("systemctl", "disable", "--now", "--quiet", "redis-server")  # we start our own, for the run alone
        found = shutil.which("redis-server")
    if found is None:
        raise Unavailable("there is no redis-server; install it from your distribution")
    return Path(found)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    variables = os.environ | (environment or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"`{Path(command[0]).name} … {command[-1]}` failed: {''.join(last)[:200]}")
