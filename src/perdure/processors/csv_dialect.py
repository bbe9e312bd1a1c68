"""How a table is written (delimiter, quotes, header, what the columns seem to be): as given, or sniffed from its start.

DuckDB's sniffer looks at the first rows and tells what it saw *there*. Where they hold no quote it says that there is
none; the rest of the file may still have them, so the quote of RFC 4180 is taken unless quotes were seen and refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.processors.base import JobContext, NotRetryable
from perdure.processors.csv_input import MAX_LINE_BYTES
from perdure.processors.duckdb_engine import literal, watched_row

if TYPE_CHECKING:
    import duckdb

MAX_COLUMNS = 2_000
MAX_REJECTS = 10_000
"""How many rows that cannot be read are counted one by one; an entry of each is kept in the engine's memory."""
SAMPLE_ROWS = 20_480
SEEN_BYTES = 4_194_304
"""How far to look for a quote that the sniffer may have seen and refused."""

_NOTHING = "(empty)"
_TYPES = ("BOOLEAN", "BIGINT", "DOUBLE", "TIME", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR")
_TOO_WIDE = f"At most {MAX_COLUMNS:,} columns are profiled, of rows of at most {MAX_LINE_BYTES:,} bytes."


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the table is written, as given or sniffed; ``proposed`` is a DuckDB type per column."""

    delimiter: str
    quote: str
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
        import duckdb

        candidates = ", ".join(literal(one) for one in _TYPES)
        options = [
            f"sample_size = {SAMPLE_ROWS}",
            f"auto_type_candidates = [{candidates}]",
            "strict_mode = false",
            "ignore_errors = true",
        ]
        if delimiter is not None:
            options.append(f"delim = {literal(delimiter)}")
        if has_header is not None:
            options.append(f"header = {str(has_header).lower()}")
        query = (
            "SELECT Delimiter, Quote, Escape, Comment, SkipRows, HasHeader, DateFormat, TimestampFormat, Columns "  # noqa: S608 (literals are quoted)
            f"FROM sniff_csv({literal(str(table))}, {', '.join(options)})"
        )
        try:
            found = watched_row(connection, query, ctx, "looking at the first rows")
        except duckdb.OutOfMemoryException:
            raise NotRetryable(f"The table is too wide. {_TOO_WIDE}") from None
        except duckdb.Error as error:
            first_line = str(error).splitlines()[0]
            raise NotRetryable(
                f"The file cannot be read as a table ({first_line}). Give its delimiter, or check that it is CSV."
            ) from None
        columns = found[8]
        if len(columns) > MAX_COLUMNS:
            raise NotRetryable(f"The table has {len(columns):,} columns. {_TOO_WIDE}")
        quote = _quote(found[1], table)
        return cls(
            delimiter=found[0],
            quote=quote,
            escape=quote if found[2] == _NOTHING else found[2],
            comment="" if found[3] == _NOTHING else found[3],
            skipped_lines=found[4],
            has_header=found[5],
            date_format=found[6],
            timestamp_format=found[7],
            proposed={column["name"]: column["type"] for column in columns},
        )

    def source(self, table: Path) -> str:
        """The table as text columns. Rows that do not fit are set aside and noted, not fatal.

        Strict, because only so does DuckDB note every row that it cannot read whole: its tolerant mode cuts rows that
        are too long, and takes what follows a quote that never closes for one value, without a word.
        """
        names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.proposed)
        return (
            f"read_csv({literal(str(table))}, auto_detect = false, columns = {{{names}}}, "
            f"delim = {literal(self.delimiter)}, quote = {literal(self.quote)}, escape = {literal(self.escape)}, "
            f"comment = {literal(self.comment)}, skip = {self.skipped_lines}, header = {str(self.has_header).lower()}, "
            f"max_line_size = {MAX_LINE_BYTES}, strict_mode = true, ignore_errors = true, store_rejects = true, "
            f"rejects_limit = {MAX_REJECTS}, rejects_line_size_limit = 1)"
        )

    def warnings(self) -> list[str]:
        """What of the file is, by this reading, no part of the table."""
        said = []
        if self.skipped_lines:
            said.append(f"The first {self.skipped_lines:,} lines are not like the rest and were skipped.")
        if self.comment:
            said.append(f"Lines that start with {self.comment} were taken for comments and skipped.")
        return said


def _quote(found: str, table: Path) -> str:
    if found != _NOTHING:
        return found
    with table.open("rb") as opened:
        return "" if b'"' in opened.read(SEEN_BYTES) else '"'
