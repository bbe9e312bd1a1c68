"""``csv.deduplicate``: a table without its repeated rows, in bounded memory whatever its size.

The file is read twice, each time in its order. First its rows are numbered and grouped by their key, which gives the
numbers to keep; these become a mark for every row; then the rows are written beside their marks. So only numbers are
ever sorted, and each step can spill.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from perdure.processors.base import FileId, JobContext, NotRetryable, processor
from perdure.processors.csv_dialect import MAX_COLUMNS
from perdure.processors.csv_table import Table, TableRequest, opened_table
from perdure.processors.duckdb_engine import literal

MAX_NAMES_TOLD = 50


class DeduplicateRequest(TableRequest):
    """A table whose repeated rows are to go. Rows are the same if their texts in ``columns`` (left out: all) are."""

    columns: Annotated[list[str], Field(min_length=1, max_length=MAX_COLUMNS)] | None = None
    keep: Annotated[Literal["first", "last"], Field(description="which of the rows that are the same")] = "first"


class DeduplicateResult(BaseModel):
    file: Annotated[FileId, Field(description="the id of the new file: CSV in UTF-8, in the delimiter of the old one")]
    rows_read: int
    rows_written: int
    duplicates_removed: int
    rows_left_out: Annotated[int, Field(description="rows that cannot be read, and so are not written either")]
    warnings: list[str]


@processor("csv.deduplicate")
def deduplicate(payload: DeduplicateRequest, ctx: JobContext) -> DeduplicateResult:
    """Removes repeated rows from a table. The others keep their order, and every value its exact text."""
    with opened_table(payload, ctx, keeps_order=True) as table:
        key = _key(list(table.dialect.proposed), payload.columns)
        header_rows = int(table.dialect.has_header)
        pick = "min" if payload.keep == "first" else "max"
        read = table.settled(lambda: _compare(table, key, pick, header_rows))
        target = table.scratch / "deduplicated.csv"
        written = _write(table, read, header_rows, target)
        file = ctx.save_output("deduplicated.csv", target, content_type="text/csv; charset=utf-8")
        left_out, said = table.left_out()
    ctx.progress(100, "done")
    return DeduplicateResult(
        file=file,
        rows_read=read,
        rows_written=written,
        duplicates_removed=read - written,
        rows_left_out=left_out,
        warnings=[*table.warnings, *said],
    )


def _key(names: list[str], wanted: list[str] | None) -> list[str]:
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        told = ", ".join(names[:MAX_NAMES_TOLD]) + (", …" if len(names) > MAX_NAMES_TOLD else "")
        raise NotRetryable(f"{len(unknown)} of the columns to compare are not in the table. It has: {told}.")
    return [_column(names.index(name)) for name in wanted or names]


def _column(index: int) -> str:
    """The engine's name of a column. Not the table's own, which might be one that the engine gives a meaning."""
    return f"c{index}"


def _rows(table: Table, *, notes_rejects: bool) -> str:
    """Every row, the header too, in the file's order, with columns named by us."""
    source = table.source(header_is_row=True, notes_rejects=notes_rejects)
    return f"{source} AS read ({', '.join(_column(index) for index in range(len(table.dialect.proposed)))})"


def _compare(table: Table, key: list[str], pick: str, header_rows: int) -> int:
    """Finds the number, from 0, of the row to keep of those that are the same; returns how many rows there are."""
    table.answer(
        f"CREATE OR REPLACE TABLE kept AS SELECT {pick}(number) AS number, count(*) AS times "  # noqa: S608 (names and words of our own)
        f"FROM (SELECT row_number() OVER () - 1 AS number, * FROM {_rows(table, notes_rejects=True)}) "
        f"WHERE number >= {header_rows} GROUP BY {', '.join(key)}",
        "comparing",
        0,
        60,
    )
    (count,) = table.answer("SELECT coalesce(sum(times), 0)::BIGINT FROM kept", "comparing", 60, 60)
    return int(count)


def _write(table: Table, rows: int, header_rows: int, target: Path) -> int:
    """Marks each number that stays, in order, and writes the rows beside such marks; returns how many."""
    table.answer(
        f"CREATE TABLE marks AS SELECT range AS number, range < {header_rows} OR range IN (SELECT number FROM kept) "  # noqa: S608 (the same)
        f"AS stays FROM range({rows + header_rows}) ORDER BY number",
        "comparing",
        60,
        80,
    )
    # An empty value alone in its row is written as two quotes: an empty line might be no row to who reads it.
    values = f"coalesce({_column(0)}, '')" if len(table.dialect.proposed) == 1 else "read.*"
    (count,) = table.answer(
        f"COPY (SELECT {values} FROM {_rows(table, notes_rejects=False)} POSITIONAL JOIN marks WHERE marks.stays) "  # noqa: S608 (literals are quoted)
        f"TO {literal(str(target))} (FORMAT csv, HEADER false, DELIMITER {literal(table.dialect.delimiter)}, "
        "QUOTE '\"', ESCAPE '\"')",
        "writing",
        80,
        99,
    )
    return int(count) - header_rows
