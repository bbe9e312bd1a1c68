import csv
import io
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from perdure.processors import duckdb_engine
from perdure.processors.base import NotRetryable
from perdure.processors.csv_deduplicate import deduplicate


@pytest.fixture
def deduplicated(context):
    """Runs the processor over a table; returns its result and the text of the file it made."""

    def run(content, **request):
        (context.folder / "x").write_bytes(content if isinstance(content, bytes) else content.encode())
        result = deduplicate.function(deduplicate.payload_type.validate_python({"file": "x", **request}), context)
        return result, (context.folder / result.file).read_bytes().decode()

    return run


def test_repeated_rows_go_and_the_others_stay_as_they_are(deduplicated, context):
    result, text = deduplicated('b,a\n2,"x, y"\n1,z\n2,"x, y"\n01,z\n1,z\n')
    assert text == 'b,a\n2,"x, y"\n1,z\n01,z\n'
    assert result.model_dump(exclude={"file"}) == {
        "rows_read": 5,
        "rows_written": 3,
        "duplicates_removed": 2,
        "rows_left_out": 0,
        "warnings": [],
    }
    assert context.content_types == {"deduplicated.csv": "text/csv; charset=utf-8"}
    assert context.told[-1] == (100, "done")


@pytest.mark.parametrize(("keep", "text"), [("first", "k,v\n1,a\n2,b\n"), ("last", "k,v\n2,b\n1,c\n")])
def test_some_columns_may_be_the_key(deduplicated, keep, text):
    assert deduplicated("k,v\n1,a\n2,b\n1,c\n", columns=["k"], keep=keep)[1] == text


@pytest.mark.parametrize("name", ["rowid", "number", "c0", 'q"; DROP TABLE rows; --', "A"])
def test_a_key_may_have_any_name(deduplicated, name):
    quoted = '"' + name.replace('"', '""') + '"'
    result, text = deduplicated(f"a,{quoted}\n1,x\n2,x\n3,y\n", columns=[deduplicated_name(name)])
    assert (result.rows_written, text.count("x")) == (2, 1)


def deduplicated_name(name):
    return "A_1" if name == "A" else name  # the engine's names are told apart without regard to case


def test_the_header_is_kept_as_it_was_written(deduplicated):
    assert deduplicated(" a ,A,,a\n1,2,3,4\n1,2,3,4\n")[1] == " a ,A,,a\n1,2,3,4\n"


def test_a_table_without_header_has_none_afterwards(deduplicated):
    result, text = deduplicated("1,2\n1,2\n3,4\n", columns=["column0"], has_header=False)
    assert (result.rows_read, result.rows_written, text) == (3, 2, "1,2\n3,4\n")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_stays(deduplicated, delimiter):
    table = f"a{delimiter}b\n1{delimiter}x,y\n"
    assert deduplicated(table + "1" + delimiter + "x,y\n")[1] == table


def test_the_new_file_is_utf_8(deduplicated):
    result, text = deduplicated("city,n\nZürich,1\nZürich,1\n".encode("windows-1252"))
    assert text == "city,n\nZürich,1\n"
    assert "windows-1252" in result.warnings[0]


def test_an_empty_value_alone_in_its_row_stays_a_row(deduplicated):
    result, text = deduplicated('x\n1\n""\n2\n""\n1\n')
    assert (result.rows_written, list(csv.reader(io.StringIO(text)))) == (3, [["x"], ["1"], [""], ["2"]])


cells = st.text("ab01,;\"\n'\\# é", max_size=4)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(cells, cells), max_size=12), st.sampled_from(["first", "last"]), st.sampled_from([None, ["k"]])
)
def test_it_does_what_a_dictionary_would(deduplicated, rows, keep, columns):
    written = io.StringIO()
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("k", "v"), *rows])
    result, text = deduplicated(written.getvalue(), delimiter=",", has_header=True, columns=columns, keep=keep)
    numbered = list(enumerate(rows))
    chosen = {row[:1] if columns else row: number for number, row in (numbered[::-1] if keep == "first" else numbered)}
    expected = [rows[number] for number in sorted(chosen.values())]
    read = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    if not result.warnings:
        assert read == [("k", "v"), *expected]
    assert (result.rows_written, result.rows_read) == (len(read) - 1, result.rows_written + result.duplicates_removed)


def test_order_is_kept_in_a_table_of_many_blocks(deduplicated):
    count = 150_000
    result, text = deduplicated("n,v\n" + "".join(f"{n * 7919 % count},{n % 3}\n" for n in range(count)) * 2)
    assert (result.rows_written, result.duplicates_removed) == (count, count)
    assert text == "n,v\n" + "".join(f"{n * 7919 % count},{n % 3}\n" for n in range(count))


def test_rows_that_cannot_be_read_are_left_out_and_said(deduplicated):
    result, text = deduplicated("a,b\n1,2\n1,2,3\n1,2\n4\n")
    assert (result.rows_read, result.rows_left_out, text) == (2, 2, "a,b\n1,2\n")
    assert [warning.split(";")[0] for warning in result.warnings] == [
        "Rows left out: 1 with more values than there are columns",
        "Rows left out: 1 with fewer values than there are columns",
    ]


def test_lines_may_end_in_different_ways(deduplicated):
    _, text = deduplicated("a,b\r\n" + "1,x\r\n" * 3_000 + "2,y\n3,z\r2,y\r\n")
    assert text == "a,b\n1,x\n2,y\n3,z\n"


@pytest.mark.parametrize("content", ['a,"b"x\n1,2\n1,2\n', 'a,b"\n"1",2\n'])
def test_a_header_that_cannot_be_read_is_no_lost_row(deduplicated, content):
    try:
        assert deduplicated(content, delimiter=",", has_header=True)[1].count("\n") == content.count("\n")
    except NotRetryable as error:
        assert "header" in str(error)


def test_an_unknown_column_is_said_with_those_there_are(deduplicated):
    with pytest.raises(NotRetryable, match=r"^1 of the columns .* It has: id, name\.$"):
        deduplicated("id,name\n1,x\n", columns=["id", "nmae"])


@pytest.mark.parametrize("request_", [{"columns": []}, {"keep": "any"}, {"column": "a"}, {"delimiter": ""}])
def test_a_request_is_checked(request_):
    with pytest.raises(ValidationError):
        deduplicate.payload_type.validate_python({"file": "x", **request_})


def test_a_cancelled_job_leaves_neither_scratch_nor_output(context, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(duckdb_engine, "WATCH_SECONDS", 0.001)
    (context.folder / "x").write_text("a,b\n" + "".join(f"{n},x\n" for n in range(400_000)))
    progress = context.progress

    def stop(percent, message=None):
        progress(percent, message)
        context.cancelled = context.cancelled or message == "comparing"

    context.progress = stop
    with pytest.raises(duckdb_engine.Interrupted):
        deduplicate.function(deduplicate.payload_type.validate_python({"file": "x"}), context)
    assert list(tmp_path.iterdir()) == [context.folder / "x"]
