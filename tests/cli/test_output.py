"""What is printed where: a terminal, a pipe, a program."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.cli import output
from perdure.cli.output import EXIT_CODES, ExitCode, exit_code_of, harmless, print_json, print_line, print_table, report
from perdure.client.errors import PerdureAPIError, ServerUnreachable
from perdure.errors import ConfigurationError
from perdure.models.lifecycle import JobStatus

UUID = "01980000-0000-7000-8000-000000000000"


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard output a terminal of so many columns."""

    def of(columns):
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        return screen

    return of


def test_a_pipe_gets_every_column_separated_by_tabs(capsys):
    print_table(["job", "queue"], [["1", "default"]], dispensable=["queue"])
    assert capsys.readouterr().out == "job\tqueue\n1\tdefault\n"


@pytest.mark.parametrize(
    ("columns", "shown"), [(120, ["job", "queue", "created"]), (70, ["job", "created"]), (50, ["job"])]
)
def test_a_narrow_terminal_is_spared_what_is_dispensable(terminal, columns, shown):
    screen = terminal(columns)
    print_table(
        ["job", "queue", "created"],
        [[UUID, "a-long-queue-name", "2030-01-31 12:00:00"]],
        dispensable=["queue", "created"],
    )
    assert UUID in screen.getvalue(), "an id stays in one piece: it is there to be copied"
    assert [name for name in ("job", "queue", "created") if name in screen.getvalue()] == shown


def test_a_state_is_coloured_on_a_terminal_only(terminal, capsys):
    print_line("1  ", "FAILED", "  why")
    assert capsys.readouterr().out == "1  FAILED  why\n"
    screen = terminal(80)
    print_line("1  ", "FAILED", "  why")
    assert screen.getvalue() == "1  \x1b[31mFAILED\x1b[0m  why\n"


def test_a_jobs_message_cannot_steer_the_terminal(terminal):
    screen = terminal(80)
    print_line("\x1b[2Jgone\x9b2J\r", "\x07")
    assert screen.getvalue().strip() == "\ufffd[2Jgone\ufffd2J\ufffd\ufffd"


@given(st.text())
def test_only_controls_are_replaced(text):
    assert len(harmless(text)) == len(text)
    for before, after in zip(text, harmless(text), strict=True):
        control = ord(before) < 32 or 127 <= ord(before) < 160
        assert after == ("\ufffd" if control and before not in "\t\n" else before)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_is_whole_in_every_encoding(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    output.prepare_streams()
    print_json({"name": "Żółw ✓"})
    assert json.loads(raw.getvalue().decode(encoding)) == {"name": "Żółw ✓"}


def test_lines_go_out_as_they_come_and_no_character_fails(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.prepare_streams()
    print_line("✓ done")
    assert raw.getvalue() == b"? done\n"


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_state_has_its_exit_code(status):
    codes = {"SUCCEEDED": ExitCode.OK, "FAILED": ExitCode.JOB_FAILED, "CANCELLED": ExitCode.JOB_CANCELLED}
    assert exit_code_of({"status": status.value}) == codes.get(status.value, ExitCode.TIME_IS_UP)


def test_every_exit_code_is_explained():
    assert set(EXIT_CODES) == set(ExitCode)
    assert [code.value for code in EXIT_CODES] == list(range(8))


@pytest.mark.parametrize(
    ("error", "code", "document"),
    [
        (ConfigurationError("mend it"), ExitCode.ERROR, {"code": "configuration_error", "detail": "mend it"}),
        (ServerUnreachable("nobody"), ExitCode.UNREACHABLE, {"code": "server_unreachable", "detail": "nobody"}),
        (
            PerdureAPIError(404, {"code": "not_found", "detail": "none", "title": "Not Found"}),
            ExitCode.NOT_FOUND,
            {"code": "not_found", "detail": "none", "title": "Not Found"},
        ),
        (
            PerdureAPIError(409, {"code": "conflict", "detail": "no"}),
            ExitCode.ERROR,
            {"code": "conflict", "detail": "no"},
        ),
    ],
)
def test_an_error_is_a_line_for_people_and_a_document_for_programs(capsys, error, code, document):
    assert report(error, as_json=False) == code
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"Error: {document['detail']}\n")
    assert report(error, as_json=True) == code
    said = capsys.readouterr()
    assert (json.loads(said.out), said.err) == (document, "")
