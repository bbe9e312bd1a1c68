"""How new this code is: its newest migration says so."""

from __future__ import annotations

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = [MIGRATIONS / "versions"]
"""Folders of migrations; each file begins with its number, of four digits."""


def code_version() -> int:
    """The number of this code's newest migration; compared with the schema's ``minimum_code_version``."""
    return max(int(file.name[:4]) for folder in VERSIONS for file in folder.glob("[0-9]*.py"))


def application_name() -> str:
    """What each connection of ours is called: by it others know that we are there, and of which version."""
    return f"perdure/{code_version()}"
