"""The profile of a table: every column read as text, and judged by which casts all of its values survive.

DuckDB's sniffer proposes a type per column from a sample; the pass then counts, over all rows, the values that really
have it. So a stray value far down the file changes the answer and never fails the job. Where the sample misled (a
column that is empty at first, dates that become timestamps) the smallest and the largest text tell what else the
column may be; only then is it looked at a second time.

One pass serves ``COLUMNS_PER_PASS`` columns, which is the whole of most tables: the state of the aggregates (mostly of
the quantiles) is what takes memory, a few megabytes a column, and no number of rows adds to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perdure.processors.csv_column import ANSWERS_PER_COLUMN, SECOND_GUESSES, Column, typed
from perdure.processors.csv_table import Table
from perdure.processors.duckdb_engine import literal

COLUMNS_PER_PASS = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """``columns`` holds a profile each, ``judged`` the column as it was read for that.

    ``strays`` says how many of its values have not the type that its first rows have.
    """

    rows: int
    columns: list[dict[str, Any]]
    judged: list[Column]
    strays: list[int]


def measure(table: Table, quantiles: Sequence[float]) -> Measured:
    """Profiles the table, in two passes at most."""
    judged = [Column(name, proposed, table.dialect) for name, proposed in table.dialect.proposed.items()]
    found = _look(table, judged, quantiles, "profiling")
    profiles = [column.profile(one.rows, one.answers, quantiles) for column, one in zip(judged, found, strict=True)]
    strays = [column.strays(one.answers) for column, one in zip(judged, found, strict=True)]
    again = {
        index: Column(column.name, guess, table.dialect)
        for index, column in enumerate(judged)
        if profiles[index]["type"] == "text"
        and (guess := _second_guess(table, column, found[index].answers)) is not None
    }
    looked = _look(table, list(again.values()), quantiles, "looking again at some columns")
    for (index, column), one in zip(again.items(), looked, strict=True):
        profiles[index] = column.profile(one.rows, one.answers, quantiles)
        judged[index] = column
    return Measured(found[0].rows, profiles, judged, strays)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pass found of one column, and how many rows it saw."""

    rows: int
    answers: Sequence[Any]


def _look(table: Table, columns: Sequence[Column], quantiles: Sequence[float], message: str) -> list[_Found]:
    """What there is to know of each column, in as many passes as their number asks for."""
    source = table.source()
    found: list[_Found] = []
    for first in range(0, len(columns), COLUMNS_PER_PASS):
        some = columns[first : first + COLUMNS_PER_PASS]
        wanted = ", ".join(["count(*)", *(one for column in some for one in column.aggregates(quantiles))])
        query = f"SELECT {wanted} FROM {source}"  # noqa: S608 (names and literals are quoted)
        start, end = (100.0 * done / len(columns) for done in (first, first + len(some)))
        row = table.answer(query, message, start, end)
        size = ANSWERS_PER_COLUMN
        found += [_Found(row[0], row[1 + size * index : 1 + size * (index + 1)]) for index in range(len(some))]
    return found


def _second_guess(table: Table, column: Column, answers: Sequence[Any]) -> str | None:
    """What a column of text may be instead: a type that both its ends have. Mostly none."""
    ends = answers[4:6]
    candidates = [one for one in SECOND_GUESSES if one != column.proposed]
    fits = [
        " AND ".join(f"{typed(literal(end), one, table.dialect)} IS NOT NULL" for end in ends) for one in candidates
    ]
    (row,) = table.connection.execute(f"SELECT {', '.join(fits)}").fetchall()
    return next((one for one, fit in zip(candidates, row, strict=True) if fit), None)
