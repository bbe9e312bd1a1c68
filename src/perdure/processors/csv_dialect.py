"""How a table is written (delimiter, escapes, header, what columns seem to be): as given, or sniffed from its start.

The quote is always RFC 4180's, since a sample without quotes does not mean that none follow; so is the escape (the
quote doubled), but where the sample reads well only with a backslash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.processors.base import JobContext, NotRetryable
from perdure.processors.csv_input import MAX_LINE_BYTES
from perdure.processors.duckdb_engine import literal, watched_row

if TYPE_CHECKING:
    import duckdb

MAX_COLUMNS = 2_000
MAX_REJECTS = 10_000
"""How many rows that cannot be read are counted one by one; an entry of each is kept in the engine's memory."""
SAMPLE_ROWS = 20_480

_QUOTE = literal('"')
_BACKSLASH = "\\"
_NOTHING = "(empty)"
_TYPES = ("BOOLEAN", "BIGINT", "DOUBLE", "TIME", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR")
_TOO_WIDE = f"At most {MAX_COLUMNS:,} columns are read, of rows of at most {MAX_LINE_BYTES:,} bytes."


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the table is written, as given or sniffed; ``proposed`` is a DuckDB type per column."""

    delimiter: str
    escape: str
    comment: str
    skipped_lines: int
    has_header: bool
    date_format: str | None
    timestamp_format: str | None
    proposed: dict[str, str]

    @classmethod
    def sniff(
        cls,
        connection: duckdb.DuckDBPyConnection,
        table: Path,
        ctx: JobContext,
        *,
        delimiter: str | None,
        has_header: bool | None,
    ) -> Dialect:
        given = []
        if delimiter is not None:
            given.append(f"delim = {literal(delimiter)}")
        if has_header is not None:
            given.append(f"header = {str(has_header).lower()}")
        found = _sniffed(connection, table, ctx, given)
        escape = _BACKSLASH if found[1] == _BACKSLASH else '"'
        if found[1] != escape:  # it saw none; told of it, it reads doubled quotes in the header too
            found = _sniffed(connection, table, ctx, [*given, f"escape = {literal(escape)}"])
        columns = found[7]
        if len(columns) > MAX_COLUMNS:
            raise NotRetryable(f"The table has {len(columns):,} columns. {_TOO_WIDE}")
        return cls(
            delimiter=found[0],
            escape=escape,
            comment="" if found[2] == _NOTHING else found[2],
            skipped_lines=found[3],
            has_header=found[4],
            date_format=found[5],
            timestamp_format=found[6],
            proposed={column["name"]: column["type"] for column in columns},
        )

    def source(
        self, table: Path, *, header_is_row: bool = False, notes_rejects: bool = True, in_one_thread: bool = False
    ) -> str:
        """The table as text columns. Rows that do not fit are set aside and noted, not fatal.

        With ``header_is_row`` the header, where there is one, is read as the first row, as it was written. Without
        ``notes_rejects``, which is for a second look, what is set aside is not noted again.
        ``in_one_thread`` the rows come in the file's order, whatever else is set.

        Strict, because only so does DuckDB note every row that it cannot read whole: its tolerant mode cuts rows that
        are too long, and takes what follows a quote that never closes for one value, without a word.
        """
        names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.proposed)
        header = self.has_header and not header_is_row
        rejects = f"store_rejects = true, rejects_limit = {MAX_REJECTS}, " if notes_rejects else ""
        return (
            f"read_csv({literal(str(table))}, auto_detect = false, columns = {{{names}}}, "
            f"delim = {literal(self.delimiter)}, quote = {_QUOTE}, escape = {literal(self.escape)}, "
            f"comment = {literal(self.comment)}, skip = {self.skipped_lines}, header = {str(header).lower()}, "
            f"max_line_size = {MAX_LINE_BYTES}, strict_mode = true, ignore_errors = true, "
            f"{rejects}rejects_line_size_limit = 1{', parallel = false' if in_one_thread else ''})"
        )

    def warnings(self) -> list[str]:
        """What of the file is, by this reading, no part of the table."""
        said = []
        if self.skipped_lines:
            said.append(f"The first {self.skipped_lines:,} lines are not like the rest and were skipped.")
        if self.comment:
            said.append(f"Lines that start with {self.comment} were taken for comments and skipped.")
        return said


def _sniffed(connection: duckdb.DuckDBPyConnection, table: Path, ctx: JobContext, given: list[str]) -> tuple[Any, ...]:
    import duckdb

    options = [
        f"quote = {_QUOTE}",
        f"sample_size = {SAMPLE_ROWS}",
        f"auto_type_candidates = [{', '.join(literal(one) for one in _TYPES)}]",
        "strict_mode = false",
        "ignore_errors = true",
        *given,
    ]
    query = (
        "SELECT Delimiter, Escape, Comment, SkipRows, HasHeader, DateFormat, TimestampFormat, Columns "  # noqa: S608 (literals are quoted)
        f"FROM sniff_csv({literal(str(table))}, {', '.join(options)})"
    )
    try:
        return watched_row(connection, query, ctx, "looking at the first rows")
    except duckdb.OutOfMemoryException:
        raise NotRetryable(f"The table is too wide. {_TOO_WIDE}") from None
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise NotRetryable(
            f"The file cannot be read as a table ({first_line}). Give its delimiter, or check that it is CSV."
        ) from None
