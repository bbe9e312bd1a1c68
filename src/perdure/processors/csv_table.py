"""A table under an open engine: what a payload may say of it, how it is asked, and what of the file is left out.

All jobs on CSV share this, so that they see the same rows: text columns in the file's order, and what cannot be read
set aside and told, never fatal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from perdure.errors import Unavailable
from perdure.processors.base import FileId, JobContext, NotRetryable
from perdure.processors.csv_dialect import MAX_REJECTS, Dialect
from perdure.processors.csv_input import TableText, as_utf8, with_plain_line_ends
from perdure.processors.duckdb_engine import opened_engine, watched_row

if TYPE_CHECKING:
    import duckdb

_MIXED_LINE_ENDS = "state machine reached an invalid state"
_REJECTED = {
    "MISSING COLUMNS": "with fewer values than there are columns",
    "TOO MANY COLUMNS": "with more values than there are columns",
    "UNQUOTED VALUE": "with a quote that never closes, or text after a closing one (it may hide the lines below it)",
    "LINE SIZE OVER MAXIMUM": "longer than a row may be (a quote that never closes makes such rows)",
    "INVALID ENCODING": "that are not text in this encoding",
}

T = TypeVar("T")


class TableRequest(BaseModel):
    """A table to work on: an uploaded file of delimited text. What is left out is detected."""

    model_config = ConfigDict(extra="forbid")

    file: FileId = Field(min_length=1, max_length=100, description="the id of an uploaded file (POST /v1/files)")
    delimiter: Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n\x00]$")] | None = None
    encoding: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    has_header: bool | None = None


class _MixedLineEnds(Exception):
    """Some lines end in one way and some in another: the engine does not read that strictly."""


class Table:
    """The table of one attempt. ``path`` is UTF-8; ``scratch`` is a private folder that goes when the work ends."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, text: TableText, dialect: Dialect, scratch: Path, ctx: JobContext
    ) -> None:
        self.connection = connection
        self.path = text.path
        self.encoding = text.encoding
        self.dialect = dialect
        self.scratch = scratch
        self._ctx = ctx
        self.warnings = [*_guessed(text), *dialect.warnings()]
        """What of the file is, by this reading, no part of the table; of rows that do not fit, see ``left_out``."""

    def settled(self, work: Callable[[], T]) -> T:
        """What ``work`` makes of the table: once more, over a rewritten copy, where its lines end in several ways."""
        try:
            self._refuse_broken_header()
            return work()
        except _MixedLineEnds:
            self.path = with_plain_line_ends(self.path, self.scratch, self._ctx)
            self.warnings.append("Lines end in several ways. Line breaks, inside values too, were made alike.")
            self._refuse_broken_header()
            return work()

    def source(self, *, header_is_row: bool = False, notes_rejects: bool = True) -> str:
        """The table as something to select from; see ``Dialect.source``."""
        return self.dialect.source(self.path, header_is_row=header_is_row, notes_rejects=notes_rejects)

    def answer(self, query: str, message: str, start: float = 0.0, end: float = 100.0) -> tuple[Any, ...]:
        """The one row of ``query``, which takes the job from ``start`` to ``end`` percent.

        Raises ``NotRetryable`` where the table is at fault, ``Unavailable`` where the scratch disk is.
        """
        import duckdb

        try:
            return watched_row(self.connection, query, self._ctx, message, start=start, end=end)
        except duckdb.OutOfMemoryException:
            raise NotRetryable(
                "The table needs more memory than a job may take. Send fewer columns, or shorten its longest values."
            ) from None
        except duckdb.IOException:
            raise Unavailable(
                "The folder for temporary files cannot be used. Free some space on its disk, or let TMPDIR name "
                "another one on the worker."
            ) from None
        except duckdb.Error as error:
            if _MIXED_LINE_ENDS in str(error):
                raise _MixedLineEnds from None
            raise NotRetryable(
                f"The table cannot be read: {str(error).splitlines()[0]} Give its delimiter, or check that it is CSV."
            ) from None

    def left_out(self) -> tuple[int, list[str]]:
        """How many rows were set aside so far (at least), and why. DuckDB makes the table of them with the first."""
        made = self.connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'")
        if made.fetchall() == [(0,)]:
            return 0, []
        counted = self.connection.execute(
            "SELECT error_type::VARCHAR, count(DISTINCT line), min(line), sum(count(*)) OVER () FROM reject_errors "
            "GROUP BY error_type ORDER BY 3, 1"
        ).fetchall()
        (lines,) = self.connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchall()
        return lines[0], [
            f"Rows left out: {'at least ' if total >= MAX_REJECTS else ''}{count:,} "
            f"{_REJECTED.get(kind, kind.lower())}; the first is at line {line:,}."
            for kind, count, line, total in counted
        ]

    def _refuse_broken_header(self) -> None:
        """A header with a stray quote has names for the sniffer but is no row to the engine, which would not say so."""
        if not self.dialect.has_header:
            return
        source = self.dialect.source(self.path, header_is_row=True, notes_rejects=False, in_one_thread=True)
        query = f"SELECT list([*COLUMNS(*)]) FROM (SELECT * FROM {source} LIMIT 1)"  # noqa: S608 (all is quoted)
        (rows,) = self.answer(query, "reading", 0.0, 0.0)
        first = rows[0] if rows else []
        names = self.dialect.proposed
        if len(first) != len(names) or not all(map(str.startswith, names, ((one or "").strip() for one in first))):
            raise NotRetryable(
                "The header cannot be read: a quote in it never closes, or text follows a closing one. Mend that line."
            )


@contextmanager
def opened_table(request: TableRequest, ctx: JobContext, *, keeps_order: bool = False) -> Iterator[Table]:
    """The table that ``request`` names, its dialect known. ``keeps_order`` costs some speed."""
    file = ctx.input_path(request.file)
    with tempfile.TemporaryDirectory(prefix="perdure-csv-") as directory:
        scratch = Path(directory)
        ctx.progress(0, "reading")
        text = as_utf8(file, request.encoding, scratch, ctx)
        with opened_engine(text.path, scratch, keeps_order=keeps_order) as connection:
            dialect = Dialect.sniff(
                connection, text.path, ctx, delimiter=request.delimiter, has_header=request.has_header
            )
            yield Table(connection, text, dialect, scratch, ctx)


def _guessed(text: TableText) -> list[str]:
    if not text.is_guess:
        return []
    return [f"The file is not UTF-8 and was read as {text.encoding}. If that is wrong, name its encoding."]
