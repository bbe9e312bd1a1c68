import csv
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from perdure.processors import duckdb_engine
from perdure.processors.base import NotRetryable
from perdure.processors.csv import ProfileRequest, profile

SEATTLE = Path(__file__).parents[2] / "examples" / "data" / "seattle-weather.csv"


class Context:
    """A processor's context over one file."""

    attempt = 1

    def __init__(self, path: Path) -> None:
        self.path, self.cancelled, self.job_id, self.reported = path, False, uuid4(), []

    def progress(self, percent, message=None):
        self.reported.append((percent, message))

    def input_path(self, file_id):
        return self.path


def profiled(path: Path, content: str | bytes | None = None, **request):
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = profile.function(ProfileRequest(file="x", **request), Context(path))
    json.dumps(result.model_dump(), allow_nan=False)
    return result


def column(result, name):
    [found] = [one for one in result.columns if one.name == name]
    return found


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "table.csv"


TYPES = {
    "integer": (["3", "1", "2"], 1, 3),
    "number": (["3.5", "1", "2e1"], 1.0, 20.0),
    "boolean": (["true", "false", "true"], False, True),
    "date": (["2024-02-29", "2020-01-01", "2021-06-30"], "2020-01-01", "2024-02-29"),
    "timestamp": (
        ["2024-02-29 10:00:00", "2020-01-01 00:00:01", "2021-06-30 23:59:59"],
        "2020-01-01T00:00:01",
        "2024-02-29T10:00:00",
    ),
    "time": (["10:00:00", "09:30:00", "23:59:59"], "09:30:00", "23:59:59"),
    "text": (["b", "a", "c c"], "a", "c c"),
    "empty": (["", "", ""], None, None),
}


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_is_recognised(path, kind):
    values, low, high = TYPES[kind]
    found = column(profiled(path, "id,x\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values))), "x")
    assert (found.type, found.min, found.max) == (kind, low, high)
    assert found.nulls == (3 if kind == "empty" else 0)
    assert (found.mean is not None) == (kind in {"integer", "number"})


def test_a_column_of_numbers_is_told_in_full(path):
    table = "x,y\n" + "".join(f"{value},\n" for value in [4, "", 1, 2]) + ",z\n"
    result = profiled(path, table, quantiles=[0, 0.5, 1])
    assert (result.rows, result.warnings) == (5, [])
    assert result.file.model_dump() == {
        "size_bytes": len(table),
        "encoding": "utf-8",
        "delimiter": ",",
        "has_header": True,
    }
    assert column(result, "x").model_dump() == {
        "name": "x",
        "type": "integer",
        "nulls": 2,
        "null_fraction": 0.4,
        "distinct": 3,
        "distinct_is_approximate": True,
        "min": 1,
        "max": 4,
        "mean": pytest.approx(7 / 3),
        "standard_deviation": pytest.approx(statistics.stdev([4, 1, 2])),
        "quantiles": {"0": 1.0, "0.5": 2.0, "1": 4.0},
        "quantiles_are_approximate": True,
    }
    assert column(result, "y").model_dump(include={"type", "nulls", "distinct", "mean", "quantiles"}) == {
        "type": "text",
        "nulls": 4,
        "distinct": 1,
        "mean": None,
        "quantiles": None,
    }


def test_distinct_is_near(path):
    found = column(profiled(path, "x,y\n" + "".join(f"{n % 500},a\n" for n in range(5_000))), "x")
    assert 450 < found.distinct < 550


def test_quantiles_can_be_left_out(path):
    assert column(profiled(path, "x,y\n1,a\n2,b\n", quantiles=[]), "x").quantiles is None


def test_one_value_has_no_deviation(path):
    assert column(profiled(path, "x,y\n1,a\n"), "x").standard_deviation is None


def test_the_seattle_weather(path):
    result = profiled(SEATTLE)
    assert result.rows == 1461
    assert [one.type for one in result.columns] == ["date", *["number"] * 4, "text"]
    hottest = column(result, "temp_max")
    assert (hottest.min, hottest.max) == (-1.6, 35.6)
    assert math.isclose(hottest.mean, 16.43908, rel_tol=1e-5)
    assert 15 < hottest.quantiles["0.5"] < 16.5


rows_of_numbers = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**40), 2**40),
        st.none() | st.floats(-1e12, 1e12, allow_subnormal=False).map(lambda value: value + 0.0),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of_numbers)
def test_figures_agree_with_pythons_own(path, rows):
    lines = "".join(
        f"{n},{','.join('' if value is None else repr(value) for value in row)}\n" for n, row in enumerate(rows)
    )
    result = profiled(path, f"id,integer,number\n{lines}")
    assert result.rows == len(rows)
    for name, values in zip(("integer", "number"), zip(*rows, strict=True), strict=True):
        found, filled = column(result, name), [value for value in values if value is not None]
        assert found.nulls == len(values) - len(filled)
        assert found.type == (name if filled else "empty")
        if filled:
            assert (found.min, found.max) == (min(filled), max(filled))
            assert math.isclose(found.mean, statistics.fmean(filled), rel_tol=1e-9, abs_tol=1e-3)
            assert found.distinct <= len(filled)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("ab,;\"\n'\\#é ", max_size=6), min_size=1, max_size=12))
def test_nothing_is_lost_in_silence(path, values):
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "x"), *enumerate(values)])
    result = profiled(path, delimiter=",", has_header=True)
    if result.warnings:
        assert result.rows < len(values)
    else:
        assert (result.rows, column(result, "x").nulls) == (len(values), values.count(""))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.lists(st.sampled_from([*b'a1,"\n\r;\\#\xff ']), max_size=40).map(bytes))
def test_any_bytes_give_a_result_or_a_reason(path, content):
    try:
        assert profiled(path, content).rows >= 0
    except NotRetryable as error:
        assert str(error)


@pytest.mark.parametrize(
    ("stray", "kind"), [("oops", "text"), ("1.5", "number"), ("nan", "text"), ("inf", "text"), ("1e3", "number")]
)
def test_a_stray_value_far_down_changes_the_type_and_fails_nothing(path, stray, kind):
    found = column(profiled(path, "x,y\n" + "".join(f"{n},a\n" for n in range(40_000)) + f"{stray},b\n"), "x")
    assert (found.type, found.nulls) == (kind, 0)


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-Infinity", "infinity"])
@pytest.mark.parametrize("others", [["1", "2.5"], []])
def test_words_of_floating_point_are_text(path, word, others):
    values = [*others, word, word]
    found = column(profiled(path, "id,x\n" + "".join(f"{n},{value}\n" for n, value in enumerate(values))), "x")
    assert (found.type, found.mean) == ("text", None)
    assert word in {found.min, found.max}


def test_a_date_without_end_makes_no_false_maximum(path):
    found = column(profiled(path, "id,x\n1,2024-01-01\n2,infinity\n"), "x")
    assert (found.type, found.max) == ("text", "infinity")


def test_a_column_that_is_empty_at_first_has_the_type_of_what_follows(path):
    found = column(profiled(path, "id,x\n" + "".join(f"{n},\n" for n in range(25_000)) + "1,5\n"), "x")
    assert (found.type, found.nulls, found.max) == ("integer", 25_000, 5)


def test_large_integers_are_answered_as_text(path):
    found = column(profiled(path, f"id,x\n1,{2**60}\n2,{2**61}\n"), "x")
    assert (found.type, found.min, found.max) == ("integer", str(2**60), str(2**61))


def test_integers_that_json_holds_stay_numbers(path):
    found = column(profiled(path, f"id,x\n1,{2**53 - 1}\n2,{2**53}\n"), "x")
    assert (found.min, found.max) == (2**53 - 1, str(2**53))


def test_long_texts_are_cut(path):
    assert len(column(profiled(path, f"id,x\n1,{'y' * 5_000}\n"), "x").max) == 200


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("given_", [True, False])
def test_delimiters(path, delimiter, given_):
    content = "name,n\nann,1\nbob,2\n".replace(",", delimiter)
    result = profiled(path, content, **({"delimiter": delimiter} if given_ else {}))
    assert (result.file.delimiter, result.rows) == (delimiter, 2)
    assert [one.name for one in result.columns] == ["name", "n"]


@pytest.mark.parametrize(
    ("encoding", "given_", "found"),
    [
        ("utf-8", None, "utf-8"),
        ("utf-8-sig", None, "utf-8"),
        ("utf-8", "UTF8", "utf-8"),
        ("utf-8-sig", "windows-1252", "utf-8"),
        ("utf-16", None, "utf-16"),
        ("utf-16-le", "utf-16-le", "utf-16-le"),
        ("windows-1252", None, "windows-1252"),
        ("windows-1252", "cp1252", "cp1252"),
        ("iso-8859-15", "iso-8859-15", "iso8859-15"),
    ],
)
def test_encodings(path, encoding, given_, found):
    request = {} if given_ is None else {"encoding": given_}
    result = profiled(path, "city,n\nZürich,1\n€,2\n".encode(encoding), **request)
    assert result.file.encoding == found
    assert [one.name for one in result.columns] == ["city", "n"]
    assert "Zürich" in {column(result, "city").min, column(result, "city").max}


def test_a_guessed_encoding_is_said(path):
    content = "city,n\nZürich,1\n".encode("windows-1252")
    assert any("windows-1252" in said for said in profiled(path, content).warnings)
    assert profiled(path, content, encoding="windows-1252").warnings == []


def test_quotes_and_line_breaks_inside_values(path):
    result = profiled(path, 'a,b\r\n"x, ""y""\r\nz",1\r\nw,2\r\n')
    assert result.rows == 2
    assert column(result, "a").max == 'x, "y"\r\nz'


@pytest.mark.parametrize("name", ['"); DROP TABLE x; --', "a'b", "sum(x)", 'q"q', "ü €", "read_csv('/etc/passwd')"])
def test_names_are_only_names(path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    assert column(profiled(path, f"{quoted},n\nv,1\nw,2\n"), name).type == "text"


def test_cells_are_only_cells(path):
    found = column(profiled(path, "id,x\n1,'); DROP TABLE y; --\n2,\"read_csv('/etc/passwd')\"\n"), "x")
    assert (found.min, found.max) == ("'); DROP TABLE y; --", "read_csv('/etc/passwd')")


def test_a_header_can_be_given_and_denied(path):
    assert profiled(path, "a,b\nc,d\n", has_header=False).rows == 2
    assert profiled(path, "1,2\n3,4\n", has_header=True).rows == 1


def test_a_table_without_header_gets_names(path):
    result = profiled(path, "1,2\n3,4\n")
    assert (result.file.has_header, result.rows, len({one.name for one in result.columns})) == (False, 2, 2)


@pytest.mark.parametrize("content", ["x\n1\n2\n", "x\n1\n2"])
def test_one_column(path, content):
    result = profiled(path, content)
    assert [(one.name, one.type, one.max) for one in result.columns] == [("x", "integer", 2)]


@pytest.mark.parametrize("content", ["a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4\r", "a,b\n1,2\r\n3,4\n"])
def test_line_ends(path, content):
    result = profiled(path, content)
    assert (result.rows, [(one.name, one.max) for one in result.columns]) == (2, [("a", 3), ("b", 4)])


def test_duplicate_headers_get_names_of_their_own(path):
    names = [one.name for one in profiled(path, "a,a,b\n1,2,3\n").columns]
    assert len(set(names)) == 3


def test_a_header_alone_is_a_table_without_rows(path):
    result = profiled(path, "a,b\n", has_header=True)
    assert (result.rows, [one.type for one in result.columns]) == (0, ["empty", "empty"])


def test_many_columns(path):
    wide = ",".join(f"c{n}" for n in range(1_000))
    assert len(profiled(path, f"{wide}\n{','.join(['1'] * 1_000)}\n").columns) == 1_000
    wider = ",".join(f"c{n}" for n in range(2_001))
    with pytest.raises(NotRetryable, match="columns"):
        profiled(path, f"{wider}\n{','.join(['1'] * 2_001)}\n")


MALFORMED = {
    "short": ("4\n", "1 with fewer values than there are columns"),
    "long": ("4,5,6,7\n", "1 with more values than there are columns"),
    "stray quote": ('4,"5"x,6\n', "1 with a quote that never closes"),
    "huge": ('4,"' + "x\n" * 1_100_000 + '",6\n', "1 longer than a row may be"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_rows_that_do_not_fit_are_counted_and_said(path, kind):
    line, said = MALFORMED[kind]
    result = profiled(path, "a,b,c\n" + "1,2,3\n" * 30_000 + line + "5,6,7\n" * 50)
    assert result.rows == 30_050
    [warning] = result.warnings
    assert warning.startswith(f"Rows left out: {said}")
    assert warning.endswith("the first is at line 30,002.")


def test_a_quote_that_never_closes_hides_lines_but_not_in_silence(path):
    result = profiled(path, "a,b,c\n" + "1,2,3\n" * 30_000 + '4,"5,6\n' + "5,6,7\n" * 50)
    assert result.rows == 30_000
    [warning] = result.warnings
    assert "never closes" in warning
    assert "line 30,002" in warning


def test_lines_may_end_in_different_ways(path):
    result = profiled(path, "a,b\r\n" + "1,x\r\n" * 3_000 + "2,y\n" + "3,z\r" + "4,w,5\n")
    assert (result.rows, column(result, "b").max) == (3_002, "z")
    assert [warning.split()[0] for warning in result.warnings] == ["Lines", "Rows"]


def test_quotes_may_come_after_the_sample(path):
    result = profiled(path, "a,b\n" + "1,2\n" * 30_000 + '3,"x, y"\n')
    assert (result.rows, column(result, "b").max, result.warnings) == (30_001, "x, y", [])


def test_a_backslash_may_escape_quotes(path):
    result = profiled(path, "a,b\n" + '1,"x\\"y"\n2,z\n3,"p, \\"q\\", r"\n' * 20)
    assert (result.rows, column(result, "b").min, result.warnings) == (60, 'p, "q", r', [])


def test_comments_are_no_rows_and_said(path):
    result = profiled(path, "# made by hand\na,b\n1,2\n")
    assert ([one.name for one in result.columns], result.rows) == (["a", "b"], 1)
    assert len(result.warnings) == 1


def test_timestamps_with_an_offset_are_told_in_utc(path):
    found = column(profiled(path, "x,n\n2024-01-01T10:00:00Z,1\n2024-01-01T11:00:00+02:00,2\n"), "x")
    assert (found.type, found.min, found.max) == (
        "timestamp",
        "2024-01-01T09:00:00+00:00",
        "2024-01-01T10:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("first", "later", "kind", "low", "high"),
    [
        ("", "5", "integer", 5, 5),
        ("", "00501", "text", "00501", "00501"),
        ("2024-01-01", "2024-01-01 10:00:00", "timestamp", "2024-01-01T00:00:00", "2024-01-01T10:00:00"),
        ("10:00:00", "2024-01-01", "text", "10:00:00", "2024-01-01"),
    ],
)
def test_what_the_sample_did_not_show_is_seen_all_the_same(path, first, later, kind, low, high):
    found = column(profiled(path, "x,n\n" + f"{first},1\n" * 30_000 + f"{later},1\n"), "x")
    assert (found.type, found.min, found.max) == (kind, low, high)
    assert found.nulls == (0 if first else 30_000)


@pytest.mark.parametrize(
    ("content", "request_", "said"),
    [
        (b"", {}, "empty"),
        (b"\x00\x01\x02" * 100, {}, "NUL"),
        (b"a,b\n\xff\xfe,1\n", {"encoding": "utf-8"}, "UTF-8"),
        (b"a,b\n1,2\n", {"encoding": "klingon"}, "encoding"),
        (b"a,b\n1,2\n", {"encoding": "zlib"}, "encoding"),
        (b"\xef\xbb\xbf\n \n", {}, "empty"),
        (b"a,b\n1," + b"x" * 3_000_000 + b"\n", {}, "starts at byte 4 is longer"),
        ("a,b\nZürich,2\n".encode("latin-1"), {"encoding": "ascii"}, "ascii"),
    ],
)
def test_what_is_no_table_is_said_clearly(path, content, request_, said):
    with pytest.raises(NotRetryable, match=said):
        profiled(path, content, **request_)


@pytest.mark.parametrize("content", [b'a,b\n1,"unterminated\n2,3\n', b",,,\n", b'"', b"\xff" * 99])
def test_odd_files_give_a_result_or_a_reason(path, content):
    try:
        assert profiled(path, content).rows >= 0
    except NotRetryable as error:
        assert str(error)


def test_progress_is_told(path):
    context = Context(SEATTLE)
    profile.function(ProfileRequest(file="x"), context)
    assert context.reported[0][0] == 0
    assert context.reported[-1] == (100, "done")


def a_large_table(path: Path, megabytes: int) -> None:
    line = "".join(f"{n},{n * 1.5},2024-01-0{n % 9 + 1},some text that fills the line {n}\n" for n in range(10_000))
    with path.open("w") as file:
        file.write("id,price,day,comment\n")
        for _ in range(megabytes * 1_000_000 // len(line)):
            file.write(line)


class CancelledMidway(Context):
    """Is cancelled as soon as the query tells how far it is."""

    def progress(self, percent, message=None):
        super().progress(percent, message)
        self.cancelled = self.cancelled or message == "profiling"


def test_a_running_query_is_interrupted(path, monkeypatch):
    monkeypatch.setattr(duckdb_engine, "WATCH_SECONDS", 0.005)
    a_large_table(path, 60)
    context = CancelledMidway(path)
    with pytest.raises(duckdb_engine.Interrupted):
        profile.function(ProfileRequest(file="x"), context)
    assert context.reported[-1][1] == "profiling"


def test_an_attempt_that_is_cancelled_first_reads_nothing(path):
    path.write_text("a,b\n1,2\n")
    context = Context(path)
    context.cancelled = True
    with pytest.raises(duckdb_engine.Interrupted):
        profile.function(ProfileRequest(file="x"), context)
    assert context.reported == [(0, "reading")]


def test_the_scratch_folder_goes_with_the_job(path, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    profiled(path, "name\nM\u00fcller\n".encode("utf-16"))
    assert list(tmp_path.iterdir()) == [path]


def test_the_engine_reads_nothing_but_the_table(path, tmp_path):
    import duckdb

    path.write_text("a\n1\n")
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with duckdb_engine.opened_engine(path, scratch) as connection:
        assert connection.execute(f"SELECT count(*) FROM read_csv('{path}')").fetchall() == [(1,)]
        for forbidden in (
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM read_text('{secret}')",
            f"COPY (SELECT 2) TO '{secret}'",
            f"ATTACH '{tmp_path}/new.db'",
            "SET enable_external_access = true",
            "SET memory_limit = '10GB'",
        ):
            with pytest.raises(duckdb.Error, match=r"Permission Error|Cannot change configuration"):
                connection.execute(forbidden)
    assert secret.read_text() == "a\n1\n"


def test_wide_tables_of_numbers_fit_the_memory(path):
    names = ",".join(f"c{n}" for n in range(200))
    path.write_text(f"{names}\n" + (",".join(["1.5"] * 200) + "\n") * 5_000)
    result = profiled(path)
    assert (result.rows, {one.mean for one in result.columns}) == (5_000, {1.5})


def test_a_file_that_is_not_there_keeps_its_reason(path):
    class Missing(Context):
        def input_path(self, file_id):
            raise NotRetryable("There is no file with this id.")

    with pytest.raises(NotRetryable, match="no file with this id"):
        profile.function(ProfileRequest(file="x"), Missing(path))


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"file": ""},
        *({"file": "x", "delimiter": one} for one in ("", ",,", "\n", "\0")),
        {"file": "x", "quantiles": [1.5]},
        {"file": "x", "quantiles": [math.nan]},
        {"file": "x", "encodng": "utf-8"},
    ],
)
def test_a_request_is_checked(request_):
    with pytest.raises(ValidationError):
        profile.payload_type.validate_python(request_)


MEASURED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from perdure.processors.csv import ProfileRequest, profile
context = SimpleNamespace(cancelled=False, progress=lambda *_: None, input_path=lambda _: Path(sys.argv[1]))
result = profile.function(ProfileRequest(file="x"), context)
print(result.rows, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_a_large_table_is_never_whole_in_memory(path):
    """Measured: 155 to 187 MB at the peak (1 GB: 226 MB); whoever held these 100 MB even once would need 250 MB."""
    a_large_table(path, 100)
    done = subprocess.run([sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True)
    rows, peak_kb = map(int, done.stdout.split())
    assert rows > 1_000_000
    assert peak_kb < 225_000
