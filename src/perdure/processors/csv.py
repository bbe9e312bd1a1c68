"""``csv.profile``: what is in a table, column by column, in bounded memory whatever its size."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from perdure.processors.base import JobContext, processor
from perdure.processors.csv_profile import measure
from perdure.processors.csv_table import TableRequest, opened_table

Quantile = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ProfileRequest(TableRequest):
    """A table to profile: an uploaded file of delimited text. What is left out is detected."""

    quantiles: Annotated[list[Quantile], Field(max_length=20)] = [0.25, 0.5, 0.75]  # noqa: RUF012 (pydantic copies it)


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
    with opened_table(payload, ctx) as table:
        measured = table.settled(lambda: measure(table, payload.quantiles))
        _, left_out = table.left_out()
    ctx.progress(100, "done")
    return ProfileResult(
        file=FileFacts(
            size_bytes=ctx.input_path(payload.file).stat().st_size,
            encoding=table.encoding,
            delimiter=table.dialect.delimiter,
            has_header=table.dialect.has_header,
        ),
        rows=measured.rows,
        columns=[ColumnProfile(**column) for column in measured.columns],
        warnings=[*table.warnings, *left_out],
    )
