"""Chromium for the browser tests: the machine's own, or Debian's, fetched and unpacked here, root or not.

Nothing of the machine is changed: package lists, packages and what is in them lie in ``build/chromium``. Only what the
machine lacks is fetched. ``make test-browser`` runs this first.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).parents[2] / "build" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STARTER = HOME / "chromium"
FETCH_SECONDS = 300
SANS, MONO = ("Inter Variable", "DejaVu Sans"), ("DejaVu Sans Mono",)
FAMILIES = {"system-ui": SANS, "sans-serif": SANS, "monospace": MONO}
"""What is drawn where a page names no more than the kind."""
PACKAGES = ("chromium", "fonts-inter-variable", "fonts-dejavu-core", "fontconfig-config")
STARTS = """#!/bin/sh
root={root}
export LD_LIBRARY_PATH="{libraries}"
export FONTCONFIG_FILE="{fonts}"
exec "$root/usr/lib/chromium/chromium" --no-sandbox "$@"
"""
FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{home}/fonts</cachedir>
{aliases}
</fontconfig>
"""


def executable() -> str:
    """Where Chromium is; empty if it is nowhere."""
    own = next((found for name in NAMES if (found := shutil.which(name))), "")
    return own or (str(STARTER) if STARTER.exists() else "")


def fetch() -> None:
    """Unpacks Debian's Chromium, and what it needs and the machine lacks, below ``HOME``."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        sys.exit("There is no Chromium here, and no apt-get to fetch it with: install Chromium or Chrome.")
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME) as directory:
        root = Path(directory) / "root"
        for package in _downloaded(Path(directory)):
            _run("dpkg", "-x", str(package), str(root))
        shutil.rmtree(HOME / "root", ignore_errors=True)
        root.rename(HOME / "root")
    _write_starter(HOME / "root")


def _downloaded(directory: Path) -> list[Path]:
    lists, cache = directory / "lists", directory / "cache"
    for one in (lists / "partial", cache / "archives" / "partial"):
        one.mkdir(parents=True)
    options = ["-q", "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}", "-o", "Debug::NoLocking=1"]
    options += ["-o", "APT::Sandbox::User="]
    _run("apt-get", *options, "update")
    wanted = _run("apt-get", *options, "--simulate", "--no-install-recommends", "install", *PACKAGES)
    missing = re.findall(r"^Inst (\S+) (?:\[[^]]*\] )?\((\S+)", wanted, re.MULTILINE)
    debs = directory / "debs"
    debs.mkdir()
    _run("apt-get", *options, "download", *(f"{name}={version}" for name, version in missing), cwd=debs)
    return sorted(debs.glob("*.deb"))


def _write_starter(root: Path) -> None:
    libraries = {str(found.parent) for found in root.rglob("lib*.so*")} - {str(root / "usr/lib/chromium")}
    fonts = HOME / "fonts.conf"
    fonts.write_text(FONTS.format(root=root, home=HOME, aliases="\n".join(map(_alias, FAMILIES))))
    STARTER.write_text(STARTS.format(root=root, libraries=":".join(sorted(libraries)), fonts=fonts))
    STARTER.chmod(0o755)


def _alias(kind: str) -> str:
    families = "".join(f"<family>{name}</family>" for name in FAMILIES[kind])
    return f'  <alias binding="strong"><family>{kind}</family><prefer>{families}</prefer></alias>'


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
    )
    if done.returncode:
        sys.exit(f"Chromium could not be fetched: `{command[0]} {command[-1]}` says:\n{done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    if not executable():
        fetch()
    sys.stdout.write(executable() + "\n")
