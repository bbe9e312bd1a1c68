"""The profile of a table: every column read as text, and judged by which casts all of its values survive.

DuckDB's sniffer proposes a type per column from a sample; the pass then counts, over all rows, the values that really
have it. So a stray value far down the file changes the answer and never fails the job. Where the sample misled (a
column that is empty at first, dates that become timestamps) the smallest and the largest text tell what else the
column may be; only then is it looked at a second time.

One pass serves ``COLUMNS_PER_PASS`` columns, which is the whole of most tables: the state of the aggregates (mostly of
the quantiles) is what takes memory, a few megabytes a column, and no number of rows adds to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.processors.base import JobContext, NotRetryable
from perdure.processors.csv_column import ANSWERS_PER_COLUMN, SECOND_GUESSES, Column, typed
from perdure.processors.csv_dialect import MAX_REJECTS, Dialect
from perdure.processors.duckdb_engine import literal, watched_row

if TYPE_CHECKING:
    import duckdb

COLUMNS_PER_PASS = 32
_MIXED_LINE_ENDS = "state machine reached an invalid state"
_PADDED_NUMBER = re.compile(r"[+-]?0\d")
"""Postal codes, serial numbers: the sniffer calls these text, and so does a second guess."""
_REJECTED = {
    "MISSING COLUMNS": "with fewer values than there are columns",
    "TOO MANY COLUMNS": "with more values than there are columns",
    "UNQUOTED VALUE": "with a quote that never closes, or text after a closing one (it may hide the lines below it)",
    "LINE SIZE OVER MAXIMUM": "longer than a row may be (a quote that never closes makes such rows)",
    "INVALID ENCODING": "that are not text in this encoding",
}


class MixedLineEnds(Exception):
    """Some lines end in one way and some in another: the engine does not read that strictly."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``columns`` holds a profile each; ``warnings`` says what could not be counted."""

    rows: int
    columns: list[dict[str, Any]]
    warnings: list[str]


def measure(
    connection: duckdb.DuckDBPyConnection, table: Path, dialect: Dialect, quantiles: Sequence[float], ctx: JobContext
) -> Measured:
    """Profiles the table. Raises ``MixedLineEnds`` where it must be rewritten first."""
    source = dialect.source(table)
    columns = [Column(name, proposed, dialect) for name, proposed in dialect.proposed.items()]
    found = _look(connection, source, columns, quantiles, ctx, "profiling")
    warnings = _rejections(connection)
    profiles = [column.profile(one.rows, one.answers, quantiles) for column, one in zip(columns, found, strict=True)]
    again = {
        index: Column(column.name, guess, dialect)
        for index, column in enumerate(columns)
        if profiles[index]["type"] == "text"
        and (guess := _second_guess(connection, column, found[index].answers, dialect)) is not None
    }
    looked = _look(connection, source, list(again.values()), quantiles, ctx, "looking again at some columns")
    for (index, column), one in zip(again.items(), looked, strict=True):
        profiles[index] = column.profile(one.rows, one.answers, quantiles)
    return Measured(found[0].rows, profiles, warnings)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pass found of one column, and how many rows it saw."""

    rows: int
    answers: Sequence[Any]


def _look(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[Column],
    quantiles: Sequence[float],
    ctx: JobContext,
    message: str,
) -> list[_Found]:
    """What there is to know of each column, in as many passes as their number asks for."""
    found: list[_Found] = []
    for first in range(0, len(columns), COLUMNS_PER_PASS):
        some = columns[first : first + COLUMNS_PER_PASS]
        wanted = ", ".join(["count(*)", *(one for column in some for one in column.aggregates(quantiles))])
        query = f"SELECT {wanted} FROM {source}"  # noqa: S608 (names and literals are quoted)
        start, end = (100.0 * done / len(columns) for done in (first, first + len(some)))
        row = _answered(connection, query, ctx, message, start, end)
        size = ANSWERS_PER_COLUMN
        found += [_Found(row[0], row[1 + size * index : 1 + size * (index + 1)]) for index in range(len(some))]
    return found


def _answered(
    connection: duckdb.DuckDBPyConnection, query: str, ctx: JobContext, message: str, start: float, end: float
) -> tuple[Any, ...]:
    import duckdb

    try:
        return watched_row(connection, query, ctx, message, start=start, end=end)
    except duckdb.OutOfMemoryException:
        raise NotRetryable(
            "The table needs more memory than a profile may take. Profile fewer columns, or shorten its longest values."
        ) from None
    except duckdb.Error as error:
        if _MIXED_LINE_ENDS in str(error):
            raise MixedLineEnds from None
        raise NotRetryable(
            f"The table cannot be read: {str(error).splitlines()[0]} Give its delimiter, or check that it is CSV."
        ) from None


def _second_guess(
    connection: duckdb.DuckDBPyConnection, column: Column, answers: Sequence[Any], dialect: Dialect
) -> str | None:
    """What a column of text may be instead: a type that both its ends have. Mostly none."""
    ends = answers[4:6]
    if any(_PADDED_NUMBER.match(end) for end in ends):
        return None
    candidates = [one for one in SECOND_GUESSES if one != column.proposed]
    fits = [" AND ".join(f"{typed(literal(end), one, dialect)} IS NOT NULL" for end in ends) for one in candidates]
    (row,) = connection.execute(f"SELECT {', '.join(fits)}").fetchall()
    return next((one for one, fit in zip(candidates, row, strict=True) if fit), None)


def _rejections(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Which rows were set aside, by cause. DuckDB makes the table of them with the first."""
    made = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall()
    if made == [(0,)]:
        return []
    counted = connection.execute(
        "SELECT error_type::VARCHAR, count(DISTINCT line), min(line), sum(count(*)) OVER () FROM reject_errors "
        "GROUP BY error_type ORDER BY 3, 1"
    ).fetchall()
    return [
        f"Rows left out: {'at least ' if total >= MAX_REJECTS else ''}{count:,} {_REJECTED.get(kind, kind.lower())}; "
        f"the first is at line {line:,}."
        for kind, count, line, total in counted
    ]
