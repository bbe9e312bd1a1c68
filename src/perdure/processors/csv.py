"""``csv.profile``: what is in a table, column by column, in bounded memory whatever its size."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from perdure.processors.base import FileId, JobContext, processor
from perdure.processors.csv_dialect import Dialect
from perdure.processors.csv_input import TableText, as_utf8, with_plain_line_ends
from perdure.processors.csv_profile import MixedLineEnds, measure
from perdure.processors.duckdb_engine import opened_engine

Quantile = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ProfileRequest(BaseModel):
    """A table to profile: an uploaded file of delimited text. What is left out is detected."""

    model_config = ConfigDict(extra="forbid")

    file: FileId = Field(description="the id of an uploaded file (POST /v1/files)")
    delimiter: Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n\x00]$")] | None = None
    encoding: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    has_header: bool | None = None
    quantiles: Annotated[list[Quantile], Field(max_length=20)] = [0.25, 0.5, 0.75]


class FileFacts(BaseModel):
    size_bytes: int
    encoding: str
    delimiter: str
    has_header: bool


class ColumnProfile(BaseModel):
    """One column. Numbers only have a mean, a (sample) standard deviation and quantiles."""

    name: str
    type: Annotated[str, Field(description="integer, number, boolean, date, timestamp, time, text or empty")]
    nulls: int
    null_fraction: float
    distinct: int
    distinct_is_approximate: bool = True
    min: Any = Field(description="integers beyond 2^53 - 1 as text; text cut at 200 characters")
    max: Any
    mean: float | None
    standard_deviation: float | None
    quantiles: dict[str, Any] | None
    quantiles_are_approximate: bool = True


class ProfileResult(BaseModel):
    file: FileFacts
    rows: int
    columns: list[ColumnProfile]
    warnings: list[str]


@processor("csv.profile")
def profile(payload: ProfileRequest, ctx: JobContext) -> ProfileResult:
    """Profiles a table: type, nulls, distinct values, smallest, largest, mean and quantiles of each column."""
    file = ctx.input_path(payload.file)
    with tempfile.TemporaryDirectory(prefix="perdure-csv-") as directory:
        scratch = Path(directory)
        ctx.progress(0, "reading")
        text = as_utf8(file, payload.encoding, scratch, ctx)
        with opened_engine(text.path, scratch) as connection:
            dialect = Dialect.sniff(
                connection, text.path, ctx, delimiter=payload.delimiter, has_header=payload.has_header
            )
            try:
                measured = measure(connection, text.path, dialect, payload.quantiles, ctx)
            except MixedLineEnds:
                plain = with_plain_line_ends(text.path, scratch, ctx)
                measured = measure(connection, plain, dialect, payload.quantiles, ctx)
    ctx.progress(100, "done")
    return ProfileResult(
        file=FileFacts(
            size_bytes=file.stat().st_size,
            encoding=text.encoding,
            delimiter=dialect.delimiter,
            has_header=dialect.has_header,
        ),
        rows=measured.rows,
        columns=[ColumnProfile(**column) for column in measured.columns],
        warnings=[*_guessed(text), *dialect.warnings(), *measured.warnings],
    )


def _guessed(text: TableText) -> list[str]:
    if not text.is_guess:
        return []
    return [f"The file is not UTF-8 and was read as {text.encoding}. If that is wrong, name its encoding."]
