"""The command line at its edges: servers that answer oddly, payloads that do not fit, watching from afar.

The server is a small local one that answers from a script.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

JOB = {
    "job_id": "1",
    "job_type": "report.build",
    "status": "RUNNING",
    "finished_at": None,
    "progress": None,
    "error": None,
}
CREATED = {"event": "CREATED", "run": 1, "attempt": 0, "at": "2030-01-31T12:00:00.000000Z", "data": {}}
STARTED = CREATED | {"event": "STARTED", "attempt": 1}
RETRY = STARTED | {
    "event": "RETRY",
    "data": {
        "run_at": "2030-01-31T12:00:02.000000Z",
        "error": {"type": "OSError", "message": "the disk is full\nsecond line"},
    },
}


SAID = {"line": 10_001, "run": 1, "attempt": 1, "at": "2030-01-31T12:00:01.000000Z", "level": "warning"}
SAID |= {"message": "a row is empty"}
NOTHING_SAID = {"items": [], "next_cursor": None}


class ScriptedServer(ThreadingHTTPServer):
    """Answers each path from its list, the last answer again and again; ``asked`` are the paths."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        answers = self.server.script[path]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server():
    started = []

    def start(script):
        one = ScriptedServer(script)
        Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}).start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


def perdure(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "perdure", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=60,
    )


def test_watching_tells_each_thing_once_and_the_progress(server):
    half = JOB | {"progress": {"percent": 50.0, "message": "half way"}}
    ended = half | {"status": "FAILED", "finished_at": "2030-01-31T12:00:03.000000Z"}
    failure = STARTED | {"event": "FAILURE", "data": {"error": {"type": "OSError", "message": "no"}}}
    one = server(
        {
            "/v1/jobs/1/wait": [(200, JOB), (200, half), (200, half), (200, ended)],
            "/v1/jobs/1/log": [(200, NOTHING_SAID), (200, {"items": [SAID], "next_cursor": None}), (200, NOTHING_SAID)],
            "/v1/jobs/1/events": [
                (200, {"items": items, "next_cursor": None})
                for items in (
                    [CREATED],
                    [CREATED, STARTED],
                    [CREATED, STARTED, RETRY],
                    [CREATED, STARTED, RETRY, failure],
                )
            ],
        }
    )
    done = perdure("jobs", "watch", "1", "--timeout", "30", PERDURE_URL=one.url)
    assert done.returncode == 3, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["12:00:00.000", "CREATED"],
        ["12:00:00.000", "attempt", "1", "STARTED"],
        ["12:00:01.000", "attempt", "1", "WARNING:", "a", "row", "is", "empty"],
        ["50", "%", "half", "way"],
        ["12:00:00.000", "attempt", "1", "RETRY", "again", "at", "12:00:02"],
        ["OSError:", "the", "disk", "is", "full"],
        ["12:00:00.000", "attempt", "1", "FAILURE"],
        ["OSError:", "no"],
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such terminals")
def test_on_a_terminal_each_progress_takes_the_place_of_the_one_before(server):
    running = {"action_id": "1", "status": "RUNNING", "done": 0, "skipped": {}}
    one = server({"/v1/jobs/actions/1": [(200, running), (200, running | {"status": "DONE", "done": 3})]})
    screen, terminal = os.openpty()
    command = [sys.executable, "-m", "perdure", "actions", "watch", "1"]
    subprocess.run(command, stdout=terminal, env=os.environ | {"PERDURE_URL": one.url}, timeout=60, check=True)
    os.close(terminal)
    shown = os.read(screen, 1000).decode()
    os.close(screen)
    assert [part.strip() for part in shown.split("\r\x1b[K")] == ["", "1  RUNNING  0 done", "1  DONE  3 done"]


def test_a_list_is_followed_to_the_first_jobs(server):
    listed = {"items": [JOB], "next_cursor": "c"}
    one = server({"/v1/jobs": [(200, {"items": [], "next_cursor": cursor}) for cursor in "ab"] + [(200, listed)]})
    done = perdure("jobs", "list", "--tag", "rare", "--json", PERDURE_URL=one.url)
    assert json.loads(done.stdout) == listed, done.stderr
    assert one.asked == ["/v1/jobs"] * 3


@pytest.mark.parametrize("as_json", [False, True])
def test_a_log_is_followed_to_the_end_of_the_job(server, as_json):
    more, last = SAID | {"line": 10_002, "level": "info"}, SAID | {"line": 20_001, "attempt": 2}
    ended = JOB | {"status": "SUCCEEDED", "finished_at": "2030-01-31T12:00:03.000000Z"}
    pages = [{"items": [SAID], "next_cursor": "10001"}, {"items": [more], "next_cursor": None}]
    pages += [{"items": [last], "next_cursor": None}]
    one = server(
        {
            "/v1/jobs/1/wait": [(200, JOB), (200, ended)],
            "/v1/jobs/1/log": [(200, page) for page in pages],
        }
    )
    done = perdure("jobs", "log", "1", "--follow", *(["--json"] if as_json else []), PERDURE_URL=one.url)
    assert done.returncode == 0, done.stderr
    if as_json:
        assert [json.loads(line) for line in done.stdout.splitlines()] == [SAID, more, last]
    else:
        assert [line[14:] for line in done.stdout.splitlines()] == [
            "attempt 1   WARNING: a row is empty",
            "attempt 1   a row is empty",
            "attempt 2   WARNING: a row is empty",
        ]


def test_a_gateway_in_between_is_reported_as_what_it_is(server):
    one = server({"/v1/jobs/1": [(502, b"<h1>Bad gateway</h1>")]})
    done = perdure("jobs", "get", "1", PERDURE_URL=one.url)
    assert (done.returncode, done.stderr) == (1, "Error: The server answered with status 502.\n")


def test_another_program_on_the_port_is_no_server(server):
    one = server({"/v1/jobs/1": [(200, b"<h1>It works!</h1>")]})
    done = perdure("jobs", "get", "1", PERDURE_URL=one.url)
    assert done.returncode == 7
    assert "no Perdure server" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--payload", "[1]"], "must be a JSON object"),
        (["--payload", '"text"'], "must be a JSON object"),
        (["--payload", "@missing.json"], "cannot be read"),
        (["--timeout", "-1"], "--timeout"),
        (["--dry-run"], "uploads no --file"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(server, tmp_path, arguments, said):
    table = tmp_path / "t.csv"
    table.write_text("a\n1\n")
    one = server({})
    done = perdure("jobs", "submit", "csv.profile", "--file", str(table), *arguments, PERDURE_URL=one.url)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert one.asked == []


def test_an_interrupt_ends_it_quietly():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        signal.signal(signal.SIGINT, signal.default_int_handler)  # else what a shell runs in its background ignores it
        with subprocess.Popen(
            [sys.executable, "-m", "perdure", "jobs", "watch", "1"],
            env=os.environ | {"PERDURE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as watching:
            connection, _ = silent.accept()
            assert connection.recv(1), "it has asked, and waits for an answer"
            watching.send_signal(signal.SIGINT)
            assert watching.communicate(timeout=20) == (b"", b"")
            assert watching.returncode == 130
            connection.close()


def test_a_reader_that_has_had_enough_is_no_error():
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    done = subprocess.run(
        [sys.executable, "-m", "perdure", "--help"], stdout=writing_end, stderr=subprocess.PIPE, check=False
    )
    os.close(writing_end)
    assert done.stderr == b""


@pytest.mark.parametrize("arguments", [["--help"], ["jobs", "submit", "--help"], ["nonsense"]])
def test_a_pipe_gets_plain_text(arguments):
    done = perdure(*arguments)
    said = done.stdout + done.stderr
    assert said.isascii(), "neither boxes nor colours"
    assert "\x1b" not in said


def test_help_comes_at_once():
    """Measured: 0.2 s on two busy cores. The bound leaves room for a machine under load, not for a web framework."""
    assert min(_seconds_of_help() for _ in range(3)) < 1.0


def _seconds_of_help():
    started = time.perf_counter()
    perdure("--help")
    return time.perf_counter() - started
