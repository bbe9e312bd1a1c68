from datetime import date, datetime, time

import duckdb
import pytest
from pydantic import ValidationError

from perdure.processors.base import NotRetryable
from perdure.processors.csv_to_parquet import to_parquet


@pytest.fixture
def converted(context):
    """Runs the processor over a table; returns its result and the rows of the file it made."""

    def run(content, **request):
        (context.folder / "x").write_bytes(content if isinstance(content, bytes) else content.encode())
        result = to_parquet.function(to_parquet.payload_type.validate_python({"file": "x", **request}), context)
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT * FROM read_parquet(?)", [str(context.folder / result.file)]).fetchall()
        return result, rows

    return run


def types(result):
    return {column.name: column.type for column in result.columns}


def test_a_table_becomes_columns_of_their_own_types(converted, context):
    result, rows = converted(
        "n,x,yes,day,at,clock,name\n"
        '1,1.5,true,2024-02-29,2024-02-29 10:00:00,10:00:00,"a, ""b"""\n'
        ",2e3,,2020-01-01,,,00501\n"
    )
    assert types(result) == {
        "n": "integer",
        "x": "number",
        "yes": "boolean",
        "day": "date",
        "at": "timestamp",
        "clock": "time",
        "name": "text",
    }
    assert rows == [
        (1, 1.5, True, date(2024, 2, 29), datetime(2024, 2, 29, 10), time(10), 'a, "b"'),  # noqa: DTZ001 (it has none)
        (None, 2000.0, None, date(2020, 1, 1), None, None, "00501"),
    ]
    assert (result.rows, result.warnings) == (2, [])
    assert result.size_bytes == (context.folder / "table.parquet").stat().st_size
    assert context.content_types == {"table.parquet": "application/vnd.apache.parquet"}


def test_timestamps_with_an_offset_are_instants(context):
    (context.folder / "x").write_text("at,n\n1970-01-01T02:00:10+02:00,1\n1970-01-01T00:00:20Z,2\n")
    to_parquet.function(to_parquet.payload_type.validate_python({"file": "x"}), context)
    with duckdb.connect() as connection:
        found = connection.execute(
            'SELECT typeof("at"), epoch("at") FROM read_parquet(?)', [str(context.folder / "table.parquet")]
        ).fetchall()
    assert found == [("TIMESTAMP WITH TIME ZONE", 10), ("TIMESTAMP WITH TIME ZONE", 20)]


@pytest.mark.parametrize(("stray", "kind"), [("oops", "text"), ("nan", "text"), ("007", "text"), ("1.5", "number")])
def test_a_stray_value_far_down_changes_the_type_and_loses_nothing(converted, stray, kind):
    result, rows = converted("x,y\n" + "".join(f"{n},a\n" for n in range(30_000)) + f"{stray},b\n")
    assert types(result) == {"x": kind, "y": "text"}
    assert str(rows[-1][0]) == stray
    assert rows[7][0] == ("7" if kind == "text" else 7)
    said = "Column 'x' is stored as text: 1 of its 30,001 values are not of the type that the first rows have."
    assert result.warnings == ([said] if kind == "text" else [])


def test_what_the_sample_did_not_show_is_no_stray(converted):
    result, rows = converted("x,n\n" + "2024-01-01,1\n" * 30_000 + "2024-01-01 10:00:00,1\n")
    assert (types(result)["x"], result.warnings) == ("timestamp", [])
    assert rows[-1][0] == datetime(2024, 1, 1, 10)  # noqa: DTZ001 (it has none)


@pytest.mark.parametrize(("largest", "kind"), [(2**63 - 1, "integer"), (2**63, "text")])
def test_integers_beyond_64_bits_stay_exact_as_text(converted, largest, kind):
    result, rows = converted(f"id,x\n{largest},a\n1,b\n")
    assert (types(result)["id"], int(rows[0][0])) == (kind, largest)
    assert len(result.warnings) == (kind == "text")


def test_the_order_of_rows_is_kept_over_many_row_groups(converted, context):
    result, rows = converted("n,v\n" + "".join(f"{n * 7919 % 300_000},x\n" for n in range(300_000)))
    assert [row[0] for row in rows] == [n * 7919 % 300_000 for n in range(300_000)]
    assert (result.rows, result.rows_left_out) == (300_000, 0)


@pytest.mark.parametrize("compression", ["zstd", "snappy", "none"])
def test_compressions(converted, context, compression):
    converted("a,b\n" + "1,x\n" * 3_000, compression=compression)
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT DISTINCT compression FROM parquet_metadata(?)", [str(context.folder / "table.parquet")]
        ).fetchall()
    assert found == [("UNCOMPRESSED" if compression == "none" else compression.upper(),)]


def test_columns_keep_odd_names(converted):
    result, rows = converted('a,A,,"q"");--"\n1,2,3,4\n')
    assert list(types(result)) == ["a", "A_1", "column2", 'q");--']
    assert rows == [(1, 2, 3, 4)]


def test_what_is_empty_is_text(converted):
    result, rows = converted("a,b\n1,\n", has_header=True)
    assert (types(result), rows) == ({"a": "integer", "b": "text"}, [(1, None)])
    result, rows = converted("a,b\n", has_header=True)
    assert (types(result), rows) == ({"a": "text", "b": "text"}, [])


def test_rows_that_cannot_be_read_are_left_out_and_said(converted):
    result, rows = converted("a,b\r\n" + "1,x\r\n" * 3_000 + "2,y\n" + "3\r\n")
    assert (result.rows, result.rows_left_out, len(rows)) == (3_001, 1, 3_001)
    assert [warning.split()[0] for warning in result.warnings] == ["Lines", "Rows"]


@pytest.mark.parametrize("request_", [{"compression": "gzip"}, {"columns": ["a"]}, {"encoding": ""}])
def test_a_request_is_checked(request_):
    with pytest.raises(ValidationError):
        to_parquet.payload_type.validate_python({"file": "x", **request_})


def test_what_is_no_table_is_said_clearly(converted):
    with pytest.raises(NotRetryable, match="NUL"):
        converted(b"\x00\x01" * 100)
