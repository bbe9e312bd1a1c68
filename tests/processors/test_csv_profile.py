import json
import math
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def test_the_seattle_weather(path):
    result = profiled(SEATTLE)
    assert result.rows == 1461
    assert [one.type for one in result.columns] == ["date", *["number"] * 4, "text"]
    hottest = column(result, "temp_max")
    assert (hottest.min, hottest.max) == (-1.6, 35.6)
    assert math.isclose(hottest.mean, 16.43908, rel_tol=1e-5)
    assert 15 < hottest.quantiles["0.5"] < 16.5


numbers = st.none() | st.integers(-(2**40), 2**40)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(numbers, min_size=1, max_size=30))
def test_figures_agree_with_pythons_own(path, values):
    filled = [value for value in values if value is not None]
    lines = "".join(f"{n},{'' if value is None else value}\n" for n, value in enumerate(values))
    found = column(profiled(path, f"id,x\n{lines}"), "x")
    assert found.nulls == len(values) - len(filled)
    if filled:
        assert (found.type, found.min, found.max) == ("integer", min(filled), max(filled))
        assert math.isclose(found.mean, statistics.fmean(filled), rel_tol=1e-9, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("stray", "kind"), [("oops", "text"), ("1.5", "number"), ("nan", "text"), ("inf", "text"), ("1e3", "number")]
)
def test_a_stray_value_far_down_changes_the_type_and_fails_nothing(path, stray, kind):
    found = column(profiled(path, "x,y\n" + "".join(f"{n},a\n" for n in range(40_000)) + f"{stray},b\n"), "x")
    assert (found.type, found.nulls) == (kind, 0)


def test_large_integers_are_answered_as_text(path):
    found = column(profiled(path, f"id,x\n1,{2**60}\n2,{2**61}\n"), "x")
    assert (found.type, found.min, found.max) == ("integer", str(2**60), str(2**61))


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
        ("utf-16", None, "utf-16"),
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


def test_quotes_and_line_breaks_inside_values(path):
    result = profiled(path, 'a,b\r\n"x, ""y""\r\nz",1\r\nw,2\r\n')
    assert result.rows == 2
    assert column(result, "a").max == 'x, "y"\r\nz'


@pytest.mark.parametrize("name", ['"); DROP TABLE x; --', "a'b", "sum(x)", 'q"q', "ü €"])
def test_names_are_only_names(path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    assert column(profiled(path, f"{quoted},n\nv,1\nw,2\n"), name).type == "text"


def test_a_header_can_be_denied(path):
    assert profiled(path, "a,b\nc,d\n", has_header=False).rows == 2


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


def test_rows_that_do_not_fit_are_counted_and_said(path):
    result = profiled(path, "a,b,c\n" + "1,2,3\n" * 50 + "4\n" + "5,6,7\n" * 50)
    assert result.rows == 100
    assert result.warnings == [
        "1 rows do not have the columns of the others, or cannot be read; they are not counted above"
    ]


@pytest.mark.parametrize(
    ("content", "request_", "said"),
    [
        (b"", {}, "empty"),
        (b"\x00\x01\x02" * 100, {}, "NUL"),
        (b"a,b\n\xff\xfe,1\n", {"encoding": "utf-8"}, "UTF-8"),
        (b"a,b\n1,2\n", {"encoding": "klingon"}, "encoding"),
        ("a,b\nZürich,2\n".encode("latin-1"), {"encoding": "ascii"}, "ascii"),
    ],
)
def test_what_is_no_table_is_said_clearly(path, content, request_, said):
    with pytest.raises(NotRetryable, match=said):
        profiled(path, content, **request_)


@pytest.mark.parametrize("content", [b'a,b\n1,"unterminated\n2,3\n', b"x" * 3_000_000, b"\n\n\n", b",,,\n", b'"'])
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


def test_a_cancelled_attempt_stops_the_query(path):
    import duckdb

    a_large_table(path, 60)
    context = Context(path)
    outcome = []

    def run():
        try:
            profile.function(ProfileRequest(file="x"), context)
            outcome.append("finished")
        except (NotRetryable, duckdb.Error) as error:
            outcome.append(error)

    context.cancelled = True
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert outcome != ["finished"]


MEASURED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_csv_profile import Context
from perdure.processors.csv import ProfileRequest, profile
assert profile.function(ProfileRequest(file="x"), Context(Path(sys.argv[1]))).rows > 1_000_000
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_a_large_table_is_never_whole_in_memory(path):
    """1 GB peaks at 226 MB (measured); 100 MB read whole, as text columns, would need far more than this bound."""
    a_large_table(path, 100)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path, Path(__file__).parent], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 270_000, "kB at the peak"
