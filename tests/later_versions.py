"""Migrations of later versions of the code, for tests of upgrades."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.db.revisions import VERSIONS, code_version

EXPAND = """
def upgrade():
    op.execute("ALTER TABLE perdure.jobs ADD COLUMN later text NOT NULL DEFAULT 'unknown'")
"""
INDEX = """
from perdure.db.migrations.online import create_index

def upgrade():
    create_index("jobs_later", "perdure.jobs (later)")
"""
CONTRACT = """
def upgrade():
    op.execute("ALTER TABLE perdure.jobs DROP COLUMN later")
    op.execute(f"UPDATE perdure.schema_version SET minimum_code_version = {int(revision) - 1}")
"""
"""What it takes away, the version before it does not use any more."""


def write(folder: Path, *scripts: str) -> Path:
    """Writes the migrations that come after those of this code, and returns their folder."""
    folder.mkdir()
    newest = code_version()
    for number, script in enumerate(scripts, newest + 1):
        head = f'from alembic import op\n\nrevision = "{number:04}"\ndown_revision = "{number - 1:04}"\n'
        (folder / f"{number:04}_later.py").write_text(head + script)
    return folder


def become(folder: Path) -> None:
    """Makes this process one of the version that has them."""
    VERSIONS.append(folder)


@contextmanager
def being(folder: Path) -> Iterator[None]:
    """The same while the block lasts."""
    become(folder)
    try:
        yield
    finally:
        VERSIONS.remove(folder)
