"""What a migration may do to a big table while the platform runs: nothing that keeps writers waiting for long."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text


def create_index(name: str, definition: str, *, unique: bool = False) -> None:
    """Makes the index ``name`` on ``definition``, as in ``"perdure.jobs (queue) WHERE status = 'FAILED'"``.

    Rows are written meanwhile (CONCURRENTLY), which PostgreSQL does outside a transaction only: what the migration
    did before is committed with it begun. So let it be all that the migration does. It may be done again: an index
    that was left half made is dropped first. (A restore has nobody beside it, and does it in its transaction.)
    """
    create = f"CREATE {'UNIQUE ' if unique else ''}INDEX"
    context = op.get_context()
    if context.opts["is_restore"]:
        op.execute(f"{create} {name} ON {definition}")
        return
    with context.autocommit_block():
        patience = op.get_bind().execute(text("SHOW lock_timeout")).scalar_one()
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and nobody waits for it
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS perdure.{name}")
        op.execute(f"{create} CONCURRENTLY {name} ON {definition}")
        op.execute(f"SET lock_timeout = '{patience}'")
