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
from perdure.processors.stopping import Interrupted, stop_if_cancelled

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
def opened_engine(file: Path, scratch: Path, *, keeps_order: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that may read ``file`` and ``scratch``, where it also spills and writes. Its time zone is UTC.

    ``keeps_order``: rows come out in the order of the file, at some cost.
    """
    import duckdb  # a large library: only processors that use it load it

    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "threads": THREADS})
    try:
        for statement in (
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            f"SET preserve_insertion_order = {str(keeps_order).lower()}",
            "SET enable_progress_bar = true",
            "SET enable_progress_bar_print = false",
            "SET TimeZone = 'UTC'",
            f"SET temp_directory = {literal(str(scratch))}",
            f"SET allowed_paths = [{literal(str(file))}]",
            f"SET allowed_directories = [{literal(str(scratch))}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def watched_row(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    ctx: JobContext,
    message: str,
    *,
    start: float = 0.0,
    end: float = 100.0,
) -> tuple[Any, ...]:
    """The one row of ``query``, which takes the work from ``start`` to ``end`` percent.

    Tells its progress meanwhile, and interrupts it once the attempt is to stop.

    All of the answer is fetched, though it is one row: DuckDB commits what a query notes on the way (rejected rows)
    only when its stream has been read to the end.
    """
    import duckdb

    stop_if_cancelled(ctx)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_SECONDS):
            if ctx.cancelled:
                connection.interrupt()  # again and again: one that comes before the query has started is lost
            else:
                done_percent = max(connection.query_progress(), 0.0)  # -1 while it is not known
                ctx.progress(start + (end - start) * done_percent / 100.0, message)

    watcher = threading.Thread(target=watch, name="duckdb-watch", daemon=True)
    watcher.start()
    try:
        (row,) = connection.execute(query).fetchall()
    except duckdb.InterruptException:
        raise Interrupted("stopped as asked") from None
    finally:
        done.set()
        watcher.join()
    return tuple(row)
