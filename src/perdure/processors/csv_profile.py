"""The profile of a table in one pass: every column read as text, and judged by which casts all of its values survive.

DuckDB's sniffer proposes a type per column from a sample; the pass then counts, over all rows, the values that really
have it. So a stray value far down the file changes the answer and never fails the job.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from perdure.processors.base import JobContext, NotRetryable
from perdure.processors.duckdb_engine import identifier, literal, watched_row

if TYPE_CHECKING:
    import duckdb

MAX_COLUMNS = 2_000
COLUMNS_PER_PASS = 100
"""The state of each column's sketches is held in memory; wider tables are read once per so many columns."""
MAX_REJECTS = 100_000
MAX_TEXT = 200
MAX_SAFE_INTEGER = 2**53 - 1

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"})
_NAMES = {"BOOLEAN": "boolean", "DATE": "date", "TIME": "time"}
_QUOTE = literal('"')
"""Always RFC 4180's: a sample without quotes does not mean that none follow."""
_ISO_DATE = "%Y-%m-%d"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the table is written, as given or sniffed; ``proposed`` is a DuckDB type per column."""

    delimiter: str
    has_header: bool
    date_format: str | None
    timestamp_format: str | None
    proposed: dict[str, str]

    @classmethod
    def sniff(
        cls, connection: duckdb.DuckDBPyConnection, path: str, *, delimiter: str | None, has_header: bool | None
    ) -> Dialect:
        import duckdb

        options = [f"quote = {_QUOTE}", f"escape = {_QUOTE}", "sample_size = 20480", "strict_mode = false"]
        options.append("ignore_errors = true")
        if delimiter is not None:
            options.append(f"delim = {literal(delimiter)}")
        if has_header is not None:
            options.append(f"header = {str(has_header).lower()}")
        query = f"SELECT * FROM sniff_csv({literal(path)}, {', '.join(options)})"  # noqa: S608 (literals are quoted)
        try:
            relation = connection.execute(query)
            names = [column[0] for column in relation.description or ()]
            found = dict(zip(names, relation.fetchone() or (), strict=True))
        except duckdb.Error as error:
            first_line = str(error).splitlines()[0]
            raise NotRetryable(
                f"The file cannot be read as a table ({first_line}). Give its delimiter, or check that it is CSV."
            ) from None
        return cls(
            delimiter=found["Delimiter"],
            has_header=found["HasHeader"],
            date_format=found["DateFormat"],
            timestamp_format=found["TimestampFormat"],
            proposed={column["name"]: column["type"] for column in found["Columns"]},
        )

    def source(self, path: str) -> str:
        """The table as text columns. Rows that do not fit are set aside and counted, not fatal."""
        names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.proposed)
        return (
            f"read_csv({literal(path)}, auto_detect = false, columns = {{{names}}}, delim = {literal(self.delimiter)}, "
            f"quote = {_QUOTE}, escape = {_QUOTE}, header = {str(self.has_header).lower()}, "
            f"strict_mode = false, ignore_errors = true, store_rejects = true, rejects_limit = {MAX_REJECTS})"
        )


def measure(
    connection: duckdb.DuckDBPyConnection, path: str, dialect: Dialect, quantiles: Sequence[float], ctx: JobContext
) -> tuple[int, list[dict[str, Any]], int]:
    """Rows, one profile per column, and how many rows were set aside."""
    import duckdb

    columns = [_Column(name, proposed, dialect) for name, proposed in dialect.proposed.items()]
    if len(columns) > MAX_COLUMNS:
        raise NotRetryable(f"The table has {len(columns):,} columns; at most {MAX_COLUMNS:,} are profiled.")
    rows, profiles = 0, []
    try:
        for first in range(0, len(columns), COLUMNS_PER_PASS):
            group = columns[first : first + COLUMNS_PER_PASS]
            rows, found = _one_pass(connection, dialect.source(path), group, quantiles, ctx)
            profiles += found
        return rows, profiles, _rejected(connection)
    except duckdb.OutOfMemoryException:
        raise NotRetryable("The table needs more memory than a profile may take: its lines are too long.") from None
    except duckdb.Error as error:
        raise NotRetryable(f"The table cannot be read: {str(error).splitlines()[0]}") from None


def _one_pass(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[_Column],
    quantiles: Sequence[float],
    ctx: JobContext,
) -> tuple[int, list[dict[str, Any]]]:
    """Rows, and the profiles of ``columns``, from one reading of the table."""
    asked = [column.aggregates(quantiles) for column in columns]
    query = f"SELECT count(*), {', '.join(one for each in asked for one in each)} FROM {source}"  # noqa: S608 (quoted)
    rows, *values = watched_row(connection, query, ctx, "profiling")
    size = len(asked[0])
    answers = [values[start : start + size] for start in range(0, len(values), size)]
    return rows, [column.profile(rows, found, quantiles) for column, found in zip(columns, answers, strict=True)]


def _rejected(connection: duckdb.DuckDBPyConnection) -> int:
    """How many rows were set aside. DuckDB makes the table of them with the first."""
    made = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone()
    if made is None or made[0] == 0:
        return 0
    counted = connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()
    return int(counted[0]) if counted is not None else 0


class _Column:
    """One column: what to ask of it, and what the answers make of it."""

    def __init__(self, name: str, proposed: str, dialect: Dialect) -> None:
        self.name = name
        self._is_number = proposed in _INTEGERS or proposed in {"DOUBLE", "FLOAT"} or proposed.startswith("DECIMAL")
        self._proposed = "DOUBLE" if self._is_number else proposed
        text = identifier(name)
        self._text = text
        self._typed = _typed(text, self._proposed, dialect)

    def aggregates(self, quantiles: Sequence[float]) -> list[str]:
        """The expressions to select, always as many."""
        text, typed = self._text, self._typed
        number = typed if self._is_number else "NULL::DOUBLE"
        # A whole number is an integer only if it is written as one: DuckDB would round 1.5 without a word.
        integer = f"TRY_CAST({text} AS HUGEINT)" if self._is_number else "NULL::HUGEINT"
        wanted = "[" + ", ".join(f"{one:.6f}" for one in quantiles) + "]::FLOAT[]"
        return [
            f"count({text})",
            f"count({typed})",
            f"count(*) FILTER (WHERE {integer} = {number} AND NOT regexp_matches({text}, '[.eE]'))",
            f"approx_count_distinct({text})",
            f"left(min({text}), {MAX_TEXT})",
            f"left(max({text}), {MAX_TEXT})",
            f"min({typed})",
            f"max({typed})",
            f"min({integer})",
            f"max({integer})",
            f"avg({number})",
            f"stddev_samp({number})",
            f"approx_quantile({number}, {wanted})" if quantiles else "NULL",
        ]

    def profile(self, rows: int, answers: Sequence[Any], quantiles: Sequence[float]) -> dict[str, Any]:
        filled, typed, integers, distinct = answers[:4]
        kind = self._kind(filled, typed, integers)
        low, high = {"text": answers[4:6], "integer": answers[8:10], "empty": (None, None)}.get(kind, answers[6:8])
        numeric = kind in {"integer", "number"}
        found = answers[12] if numeric and quantiles else None
        return {
            "name": self.name,
            "type": kind,
            "nulls": rows - filled,
            "null_fraction": round((rows - filled) / rows, 6) if rows else 0.0,
            "distinct": min(distinct, filled),
            "min": as_json(low),
            "max": as_json(high),
            "mean": as_json(answers[10]) if numeric else None,
            "standard_deviation": as_json(answers[11]) if numeric else None,
            "quantiles": None
            if found is None
            else {f"{wanted:g}": as_json(one) for wanted, one in zip(quantiles, found, strict=True)},
        }

    def _kind(self, filled: int, typed: int, integers: int) -> str:
        if filled == 0:
            return "empty"
        if self._proposed == "VARCHAR" or typed != filled:
            return "text"
        if self._is_number:
            return "integer" if integers == filled else "number"
        return _NAMES.get(self._proposed, "timestamp" if self._proposed.startswith("TIMESTAMP") else "text")


def _typed(text: str, proposed: str, dialect: Dialect) -> str:
    """The text as the proposed type, or NULL where it has another."""
    if proposed == "DOUBLE":  # NaN and infinities are words, not numbers
        return f"CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) THEN TRY_CAST({text} AS DOUBLE) END"
    if proposed == "DATE" and dialect.date_format not in {None, _ISO_DATE}:
        return f"try_strptime({text}, {literal(str(dialect.date_format))})::DATE"
    if proposed == "TIMESTAMP" and dialect.timestamp_format is not None:
        return f"coalesce(try_strptime({text}, {literal(dialect.timestamp_format)}), TRY_CAST({text} AS TIMESTAMP))"
    return f"TRY_CAST({text} AS {proposed})"


def as_json(value: Any) -> Any:
    """A value of DuckDB's as JSON can say it."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value).replace("\x00", "\N{REPLACEMENT CHARACTER}")
