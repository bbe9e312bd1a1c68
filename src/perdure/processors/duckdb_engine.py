"""A DuckDB that reads one file and nothing else, in bounded memory, and stops when its attempt must.

In memory, two threads, spilling into a private directory; no extension is loaded, no other file opened, and the
configuration is locked, so that nothing in a file or a payload can widen that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.processors.base import JobContext

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "192MB"
THREADS = 2
WATCH_SECONDS = 0.2


def literal(text: str) -> str:
    """``text`` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """``name`` as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def opened_engine(file: Path, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that may read ``file`` and spill into ``scratch``."""
    import duckdb  # a large library: only processors that use it load it

    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "threads": THREADS})
    try:
        for statement in (
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET preserve_insertion_order = false",
            "SET enable_progress_bar = true",
            "SET enable_progress_bar_print = false",
            f"SET temp_directory = {literal(str(scratch))}",
            f"SET allowed_paths = [{literal(str(file))}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def watched_row(connection: duckdb.DuckDBPyConnection, query: str, ctx: JobContext, message: str) -> tuple[Any, ...]:
    """The one row of ``query``. Tells its progress meanwhile, and interrupts it once the attempt is to stop."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_SECONDS):
            if ctx.cancelled:
                connection.interrupt()
                return
            ctx.progress(max(connection.query_progress(), 0.0), message)

    watcher = threading.Thread(target=watch, name="duckdb-watch", daemon=True)
    watcher.start()
    try:
        rows = connection.execute(query).fetchall()  # all: what was rejected is written down only at the end
    finally:
        done.set()
        watcher.join()
    return rows[0]
