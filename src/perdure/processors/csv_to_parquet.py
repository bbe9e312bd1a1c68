"""``csv.to_parquet``: a table as a Parquet file, each column in the type that all of its values have.

The types are those of ``csv.profile``, judged over the whole file before a row is written: one stray value makes its
column text, is told in a warning, and never fails the job. Rows keep their order; what is written loses nothing but
the digits that a double cannot hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from perdure.processors.base import FileId, JobContext, processor
from perdure.processors.csv_profile import Measured, measure
from perdure.processors.csv_table import Table, TableRequest, opened_table
from perdure.processors.duckdb_engine import identifier, literal

ROW_GROUP_BYTES = 16_777_216
"""How much text of the table goes into one row group, which is held in memory, by each thread, until it is written."""
MAX_ROW_GROUP_ROWS = 122_880
MIN_ROW_GROUP_ROWS = 2_048
MAX_INTEGER = 2**63 - 1


class ToParquetRequest(TableRequest):
    """A table to store as Parquet."""

    compression: Literal["zstd", "snappy", "none"] = "zstd"


class ParquetColumn(BaseModel):
    name: str
    type: Annotated[str, Field(description="integer (INT64), number (DOUBLE), boolean, date, timestamp, time, text")]


class ToParquetResult(BaseModel):
    file: Annotated[FileId, Field(description="the id of the new file")]
    size_bytes: int
    rows: int
    rows_left_out: Annotated[int, Field(description="rows that cannot be read, and so are not written either")]
    columns: list[ParquetColumn]
    warnings: list[str]


@processor("csv.to_parquet")
def to_parquet(payload: ToParquetRequest, ctx: JobContext) -> ToParquetResult:
    """Stores a table as Parquet, its columns typed by all of their values."""
    with opened_table(payload, ctx, keeps_order=True) as table:
        measured = table.settled(lambda: measure(table, []))
        left_out, said = table.left_out()
        kinds = [_kind(profile) for profile in measured.columns]
        written = _write(table, measured, kinds, payload.compression)
        size_bytes = written.stat().st_size
        file = ctx.save_output("table.parquet", written, content_type="application/vnd.apache.parquet")
    ctx.progress(100, "done")
    return ToParquetResult(
        file=file,
        size_bytes=size_bytes,
        rows=measured.rows,
        rows_left_out=left_out,
        columns=[
            ParquetColumn(name=column.name, type=kind) for column, kind in zip(measured.judged, kinds, strict=True)
        ],
        warnings=[*table.warnings, *said, *_strays(measured, kinds)],
    )


def _kind(profile: dict[str, Any]) -> str:
    kind = str(profile["type"])
    if kind == "empty":
        return "text"
    if kind == "integer" and not -MAX_INTEGER <= int(profile["min"]) <= int(profile["max"]) <= MAX_INTEGER:
        return "text"  # identifiers, mostly; a double would change them
    return kind


def _write(table: Table, measured: Measured, kinds: list[str], compression: str) -> Path:
    target = table.scratch / "table.parquet"
    values = ", ".join(
        f"{column.stored(kind)} AS {identifier(column.name)}"
        for column, kind in zip(measured.judged, kinds, strict=True)
    )
    rows = ROW_GROUP_BYTES * measured.rows // table.path.stat().st_size
    table.answer(
        f"COPY (SELECT {values} FROM {table.source(notes_rejects=False)}) TO {literal(str(target))} (FORMAT parquet, "  # noqa: S608 (names and literals are quoted)
        f"COMPRESSION {'uncompressed' if compression == 'none' else compression}, "
        f"ROW_GROUP_SIZE {min(max(rows, MIN_ROW_GROUP_ROWS), MAX_ROW_GROUP_ROWS)})",
        "writing",
    )
    return target


def _strays(measured: Measured, kinds: list[str]) -> list[str]:
    """Which columns are text though they seemed to be something else, and why."""
    said = []
    for column, profile, strays, kind in zip(measured.judged, measured.columns, measured.strays, kinds, strict=True):
        if kind == "text" and profile["type"] == "integer":
            said.append(f"Column {column.name!r} is stored as text: some of its integers need more than 64 bits.")
        elif kind == "text" and strays:
            filled = measured.rows - profile["nulls"]
            said.append(
                f"Column {column.name!r} is stored as text: {strays:,} of its {filled:,} values are not of the type "
                "that the first rows have."
            )
    return said
