"""One column of a profile: what to ask of it, and what the answers make of it. Pure, but for the SQL it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from perdure.processors.csv_dialect import Dialect
from perdure.processors.duckdb_engine import identifier, literal

MAX_TEXT = 200
MAX_SAFE_INTEGER = 2**53 - 1
ANSWERS_PER_COLUMN = 13

_ZONED = "TIMESTAMP WITH TIME ZONE"
_NAMES = {"BOOLEAN": "boolean", "DATE": "date", "TIME": "time", "TIMESTAMP": "timestamp", _ZONED: "timestamp"}
_WRITTEN_IN_DIGITS = frozenset({"DATE", "TIME", "TIMESTAMP", _ZONED})
_ISO_DATE = "%Y-%m-%d"
_PADDED = "^[+-]?0[0-9]"
"""Postal codes, serial numbers: the sniffer calls these text, and so do we."""
SECOND_GUESSES = ("DOUBLE", "BOOLEAN", "DATE", "TIME", "TIMESTAMP")
"""Types that a column of text may turn out to have, the narrowest first."""


class Column:
    """A column read as text, and the type it is thought to have."""

    def __init__(self, name: str, proposed: str, dialect: Dialect) -> None:
        self.name = name
        self.proposed = "DOUBLE" if proposed == "BIGINT" else proposed
        self._is_number = self.proposed == "DOUBLE"
        self._text = identifier(name)
        self._typed = typed(self._text, self.proposed, dialect)

    def aggregates(self, quantiles: Sequence[float]) -> list[str]:
        """The expressions to select, ``ANSWERS_PER_COLUMN`` of them."""
        text, value = self._text, self._typed
        number = value if self._is_number else "NULL::DOUBLE"
        # A whole number is an integer only if it is written as one: DuckDB would round 1.5 without a word.
        integer = f"TRY_CAST({text} AS HUGEINT)" if self._is_number else "NULL::HUGEINT"
        wanted = "[" + ", ".join(f"{one:.6f}" for one in quantiles) + "]::FLOAT[]"
        return [
            f"count({text})",
            f"count({value})",
            f"count(*) FILTER (WHERE {integer} = {number} AND NOT regexp_matches({text}, '[.eE]'))",
            f"approx_count_distinct({text})",
            f"left(min({text}), {MAX_TEXT})",
            f"left(max({text}), {MAX_TEXT})",
            f"min({value})",
            f"max({value})",
            f"min({integer})",
            f"max({integer})",
            f"avg({number})",
            f"stddev_samp({number})",
            f"approx_quantile({number}, {wanted})" if quantiles else "NULL",
        ]

    def profile(self, rows: int, answers: Sequence[Any], quantiles: Sequence[float]) -> dict[str, Any]:
        filled, fitting, integers, distinct = answers[:4]
        kind = self._kind(filled, fitting, integers)
        low, high = {"text": answers[4:6], "integer": answers[8:10], "empty": (None, None)}.get(kind, answers[6:8])
        numeric = kind in {"integer", "number"}
        found = answers[12] if numeric and quantiles else None
        return {
            "name": self.name,
            "type": kind,
            "nulls": rows - filled,
            "null_fraction": round((rows - filled) / rows, 6) if rows else 0.0,
            "distinct": min(distinct, filled),
            "min": self._shown(low),
            "max": self._shown(high),
            "mean": as_json(answers[10]) if numeric else None,
            "standard_deviation": as_json(answers[11]) if numeric else None,
            "quantiles": None
            if found is None
            else {f"{wanted:g}": as_json(one) for wanted, one in zip(quantiles, found, strict=True)},
        }

    def _kind(self, filled: int, fitting: int, integers: int) -> str:
        if filled == 0:
            return "empty"
        if self.proposed == "VARCHAR" or fitting != filled:
            return "text"
        if self._is_number:
            return "integer" if integers == filled else "number"
        return _NAMES[self.proposed]

    def strays(self, answers: Sequence[Any]) -> int:
        """How many values have not the type that is proposed."""
        filled, fitting = answers[:2]
        return 0 if self.proposed == "VARCHAR" else filled - fitting

    def stored(self, kind: str) -> str:
        """The SQL expression of a value as it is stored, now that the column is known to be of this kind throughout."""
        match kind:
            case "text" | "empty":
                return self._text
            case "integer":
                return f"CAST({self._text} AS BIGINT)"
            case "timestamp" if self.proposed == _ZONED:
                return f"CAST({self._text} AS TIMESTAMPTZ)"
            case _:
                return self._typed

    def _shown(self, value: Any) -> Any:
        if self.proposed == _ZONED and isinstance(value, datetime):
            return value.replace(tzinfo=UTC).isoformat()
        return as_json(value)


def typed(text: str, proposed: str, dialect: Dialect) -> str:
    """The SQL expression ``text`` as the proposed type, or NULL where it has another.

    DuckDB casts generously: NaN is a number, "infinity" a date, a timestamp is a date and a time of day too. Not here.
    """
    cast = _cast(text, proposed, dialect)
    return f"CASE WHEN regexp_matches({text}, '[0-9]') THEN {cast} END" if proposed in _WRITTEN_IN_DIGITS else cast


def _cast(text: str, proposed: str, dialect: Dialect) -> str:
    match proposed:
        case "DOUBLE":
            number = f"TRY_CAST({text} AS DOUBLE)"
            return f"CASE WHEN isfinite({number}) AND NOT regexp_matches({text}, '{_PADDED}') THEN {number} END"
        case "DATE" if dialect.date_format not in {None, _ISO_DATE}:
            return f"try_strptime({text}, {literal(str(dialect.date_format))})::DATE"
        case "DATE" | "TIME":
            foreign = ":" if proposed == "DATE" else "-"
            return f"CASE WHEN NOT contains({text}, '{foreign}') THEN TRY_CAST({text} AS {proposed}) END"
        case "TIMESTAMP" if dialect.timestamp_format is not None:
            return f"coalesce(try_strptime({text}, {literal(dialect.timestamp_format)}), TRY_CAST({text} AS TIMESTAMP))"
        case "TIMESTAMP WITH TIME ZONE":  # the engine's zone is UTC
            return f"TRY_CAST({text} AS TIMESTAMPTZ)::TIMESTAMP"
        case _:
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
