"""The command line against a real server: what it prints, and the codes it leaves with."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from tests.installation import installed

from perdure.cli.output import ExitCode
from perdure.client.client import Client

pytestmark = pytest.mark.xdist_group("cli")
HEAVY = {"sqlalchemy", "asyncpg", "fastapi", "starlette", "uvicorn", "alembic", "duckdb", "mailtrap"}


def perdure(*arguments: str, url: str | None = None, stdin: str = "", **environment: str):
    target = {} if url is None else {"PERDURE_URL": url}
    return subprocess.run(
        [sys.executable, "-m", "perdure", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | target | environment,
        timeout=60,
    )


@pytest.fixture(scope="module")
def url(embedded_url, tmp_path_factory):
    """A server, with a worker, that all tests of this module share."""
    with installed(embedded_url, tmp_path_factory.mktemp("cli")) as installation:
        installation.work()
        yield installation.serve().ready["url"]


@pytest.mark.parametrize("arguments", [["--help"], ["jobs", "--help"], ["deliveries", "list", "--help"], ["--version"]])
def test_help_is_light(arguments):
    code = (
        "import sys; from perdure.cli import app\n"
        f"try: app({arguments!r})\n"
        f"except SystemExit: pass\nprint('LOADED', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("LOADED []")


def test_the_client_is_light():
    code = f"import sys, perdure; perdure.Client; print(sorted({HEAVY | {'pydantic'}!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_has_a_help_line():
    shown = perdure("--help").stdout
    for command in (
        *("dev", "serve", "worker", "demo", "jobs", "files", "deliveries", "suppressions", "schedules", "db"),
        "workers",
    ):
        assert f" {command} " in shown
    assert "Exit codes" in shown


def test_a_job_from_submission_to_its_end(url, tmp_path):
    labels = ["--user-id", "ada", "--tag", "nightly"]
    done = perdure("jobs", "submit", "demo.sleep", "--payload", '{"seconds": 0}', *labels, "--wait", "--json", url=url)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["status"] == "SUCCEEDED"
    shown = perdure("jobs", "get", job["job_id"], url=url)
    assert "SUCCEEDED" in shown.stdout
    assert "\x1b" not in shown.stdout, "no colours in a pipe"
    events = perdure("jobs", "events", job["job_id"], url=url).stdout
    assert [line.split()[-1] for line in events.splitlines()] == ["CREATED", "STARTED", "SUCCESS"]
    filters = ["--status", "succeeded", "--user", "ada", "--tag", "nightly", "--search", job["job_id"][:18]]
    listed = json.loads(perdure("jobs", "list", *filters, "--json", url=url).stdout)
    assert job["job_id"] in [one["job_id"] for one in listed["items"]]
    assert perdure("jobs", "list", "--tag", "weekly", url=url).stdout == "None matches.\n"
    again = perdure("jobs", "retry", job["job_id"], url=url)
    assert again.stdout.split() == [job["job_id"], "QUEUED"]
    assert perdure("jobs", "watch", job["job_id"], url=url).returncode == 0


def test_a_message_is_previewed_and_a_test_message_says_how_it_ended(url):
    shown = perdure("deliveries", "preview", "--event", "failure", "--type", "csv.profile", url=url).stdout
    assert shown.startswith("Subject: ✗ csv.profile failed")
    assert "FAILED: csv.profile" in shown
    done = perdure("deliveries", "test", "--to", "ada@example.com", "--event", "failure", url=url)
    delivery_id, said = done.stdout.split(maxsplit=1)
    status, explanation = said.splitlines()
    assert status == "SKIPPED (provider_not_configured) to a***@e***.com by mailtrap"
    assert explanation.startswith("Nothing was sent: the process that was to send lacks the provider's settings")
    assert done.returncode == 1
    told = perdure("deliveries", "preview", delivery_id, "--format", "html", url=url).stdout
    assert told.startswith("<!DOCTYPE html>")
    assert "This is a test message. Nothing is wrong." in told
    for wrong, advice in [
        ((), "--to ADDRESS"),
        (("--channel", "webhook"), "--to URL"),
        (("--channel", "slack", "--to", "#x"), "Leave --to out"),
    ]:
        refused = perdure("deliveries", "test", *wrong, url=url)
        assert (refused.returncode, advice in refused.stderr) == (ExitCode.USAGE, True)
    unknown = perdure("deliveries", "test", "--channel", "pigeon", url=url)
    assert (unknown.returncode, "unknown channel" in unknown.stderr) == (1, True)


def test_a_job_is_submitted_once_or_not_at_all(url):
    submit = ("jobs", "submit", "demo.sleep", "--payload", '{"seconds": 0}', "--delay", "3600")
    once = (*submit, "--idempotency-key", "k", "--unique-key", "u")
    first, again = (perdure(*once, url=url).stdout.split() for _ in range(2))
    assert first == again
    refused = perdure(*submit, "--unique-key", "u", "--json", url=url)
    assert (refused.returncode, json.loads(refused.stdout)["job_id"]) == (1, first[0])
    for other in (("--unique-key", "u"), ("--idempotency-key", "k")):
        assert f"The{' live' * (other[1] == 'u')} job {first[0]} " in perdure(*submit, *other, url=url).stderr
    previewed = perdure(*submit, "--unique-key", "u", "--email", "ada@example.com", "--dry-run", url=url)
    assert previewed.returncode == 0, previewed.stderr
    for said in ("SCHEDULED", first[0], "FAILURE\temail\ta***@e***.com\tPENDING"):
        assert said in previewed.stdout


def test_the_exit_code_tells_how_a_job_ended(url):
    failing = perdure("jobs", "submit", "demo.fail", "--max-retries", "0", "--email", "a@b.co", "--wait", url=url)
    assert failing.returncode == 3
    job_id = failing.stdout.split()[0]
    assert perdure("jobs", "watch", job_id, url=url).returncode == 3
    slow = perdure(
        "jobs", "submit", "demo.sleep", "--payload", '{"seconds": 30}', "--wait", "--timeout", "0.1", url=url
    )
    assert slow.returncode == 5
    later = perdure("jobs", "submit", "demo.sleep", "--delay", "60", url=url).stdout.split()[0]
    explained = perdure("jobs", "explain", later, url=url)
    assert explained.stdout.startswith("SCHEDULED  It is scheduled for ")
    assert perdure("jobs", "cancel", later, url=url).returncode == 0
    assert perdure("jobs", "watch", later, url=url).returncode == 4
    rows = [line.split("\t") for line in perdure("deliveries", "list", "--job", job_id, url=url).stdout.splitlines()]
    assert rows[0][:4] == ["delivery", "job", "event", "provider"]
    assert rows[1][1] == job_id
    assert rows[1][6] == "provider_not_configured"
    assert rows[1][-1].startswith("Nothing was sent: the process that was to send lacks the provider's settings")
    assert (
        f"told of FAILURE  email  a***@b***.co  SKIPPED  {rows[1][-1]}"
        in perdure("jobs", "get", job_id, url=url).stdout
    )
    detail = perdure("deliveries", "get", rows[1][0], url=url)
    assert rows[1][-1] in detail.stdout
    assert "a***@b***.co" in detail.stdout
    again = perdure("deliveries", "resend", rows[1][0], "--json", url=url)
    assert json.loads(again.stdout)["resend_of"] == rows[1][0]
    counted = perdure("deliveries", "resend-all", "--status", "failed", "--job", job_id, "--dry-run", url=url)
    assert counted.stdout == "It would send 0 of 0 again.\n"
    cancelled = perdure("deliveries", "cancel", rows[1][0], url=url)
    assert (cancelled.returncode, "SKIPPED already" in cancelled.stderr) == (1, True)


def test_addresses_are_suppressed_one_by_one_and_from_a_file(url, tmp_path):
    assert perdure("suppressions", "list", url=url).stdout.startswith("No suppressed addresses")
    assert perdure("suppressions", "add", "ada@example.com", url=url).stdout == "1 added, 0 listed before\n"
    listed = tmp_path / "list.csv"
    listed.write_text('Email,Type\n"bob@example.com",bounce\nx,ADA@example.com\n\nnobody,at all\n')
    imported = perdure("suppressions", "import", str(listed), "--reason", "bounced", url=url)
    assert (imported.returncode, imported.stdout) == (1, "1 added, 1 listed before\n")
    assert imported.stderr == "Error: there is no address in line 5; the others are listed.\n"
    rows = [line.split("\t")[:2] for line in perdure("suppressions", "list", url=url).stdout.splitlines()[1:]]
    assert rows == [["bob@example.com", "bounced"], ["ada@example.com", "manual"]]
    assert perdure("suppressions", "remove", "ada@example.com", url=url).stdout == "ada@example.com  removed\n"
    assert perdure("suppressions", "remove", "ada@example.com", url=url).returncode == 6


def test_all_that_match_are_acted_on_after_a_look_and_one_is_retried_with_edits(url):
    job_id = perdure("jobs", "submit", "demo.sleep", "--queue", "doomed", "--delay", "600", url=url).stdout.split()[0]
    start = ("actions", "start", "cancel", "--queue", "doomed")
    looked = perdure(*start, "--dry-run", url=url).stdout
    assert looked.splitlines() == ["It would cancel 1 job.", f"  {job_id}"]
    asked = perdure(*start, url=url, stdin="n\n")
    assert (asked.returncode, "Cancel 1 job?" in asked.stderr) == (1, True)
    done = perdure(*start, "--yes", "--reason", "why", url=url)
    action_id, *stands = done.stdout.split()
    assert (done.returncode, stands) == (0, ["DONE", "1", "done"])
    again = perdure(*start, url=url)
    assert (again.returncode, "1 skipped (already_final)" in again.stderr) == (0, True)
    rows = [line.split("\t") for line in perdure("actions", "list", url=url).stdout.splitlines()]
    assert rows[1][:6] == [action_id, "cancel", '{"queue": "doomed"}', "DONE", "1", "0"]
    assert rows[1][-1] == "why"
    copy = json.loads(perdure("jobs", "retry", job_id, "--payload", '{"seconds": 0}', "--json", url=url).stdout)
    assert (copy["copy_of"], copy["payload"]) == (job_id, {"seconds": 0})


def test_workers_are_listed(url):
    lines = [line.split("\t") for line in perdure("workers", url=url).stdout.splitlines()]
    assert lines[0][:4] == ["worker", "host", "process", "alive"]
    assert any(line[3] == "yes" and "csv.profile" in line[6] for line in lines[1:])


def test_queues_are_listed_and_a_job_says_that_its_own_is_paused(url):
    perdure("queues", "pause", "mail", "--reason", "no paper", url=url)
    submitted = perdure("jobs", "submit", "demo.sleep", "--queue", "mail", url=url)
    try:
        lines = [line.split("\t") for line in perdure("queues", "list", url=url).stdout.splitlines()]
        assert lines[0] == ["queue", "queued", "scheduled", "retrying", "running", "oldest waiting", "workers", "state"]
        [mail] = [line for line in lines[1:] if line[0] == "mail"]
        assert mail[6] == "1"
        assert mail[7].startswith("paused by local at ")
        assert mail[7].endswith(": no paper")
        explained = perdure("jobs", "explain", submitted.stdout.split()[0], url=url).stdout
        assert explained.startswith("QUEUED  Its queue mail is paused, by local at ")
    finally:
        perdure("queues", "resume", "mail", url=url)


def test_statistics_are_shown(url):
    done = perdure("stats", url=url)
    assert done.returncode == 0, done.stderr
    assert "1 alive" in done.stdout
    assert "in the last\tsubmitted\tsucceeded" in done.stdout
    found = json.loads(perdure("stats", "--json", url=url).stdout)
    assert (found["workers_alive"], found["queued"]) == (1, 0)


def test_what_happens_is_told_as_it_happens(url):
    with ThreadPoolExecutor() as pool:
        tailing = pool.submit(perdure, "jobs", "tail", "--tag", "tailed", "--count", "2", "--json", url=url)
        submitted = set()
        while not tailing.done():
            done = perdure("jobs", "submit", "demo.sleep", "--payload", '{"seconds": 0}', "--tag", "tailed", url=url)
            submitted.add(done.stdout.split()[0])
        told = [json.loads(line) for line in tailing.result().stdout.splitlines()]
    assert len(told) == 2
    assert {one["job_id"] for one in told} <= submitted
    assert told[0]["event"] == "STARTED"


def test_what_was_done_is_shown_over_time(url):
    shown = perdure("stats", "--history", "--step", "300", url=url)
    assert shown.returncode == 0, shown.stderr
    header, *points = [line.split("\t") for line in shown.stdout.splitlines()]
    assert header[0] == "at"
    assert len(points) in (12, 13)
    found = json.loads(perdure("stats", "--history", "--json", url=url).stdout)
    assert found["step_seconds"] == 60
    assert perdure("stats", "--step", "60", url=url).returncode == 2


def test_a_file_is_uploaded_and_named(url, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    done = perdure("jobs", "submit", "csv.profile", "--file", str(table), "--wait", "--json", url=url)
    job = json.loads(done.stdout)
    assert job["result"]["rows"] == 1
    rows = [line.split("\t") for line in perdure("jobs", "files", job["job_id"], url=url).stdout.splitlines()]
    assert [row[1:5] for row in rows] == [["role", "name", "bytes", "type"], ["input", "t.csv", "8", "text/csv"]]
    [file] = json.loads(perdure("jobs", "files", job["job_id"], "--json", url=url).stdout)["items"]
    assert file["file_id"] == job["payload"]["file"]


def test_a_file_goes_up_comes_down_and_is_deleted(url, tmp_path):
    sent, got = tmp_path / "sent.json", tmp_path / "got.json"
    sent.write_text("{}")
    file_id = perdure("files", "upload", str(sent), url=url).stdout.strip()
    stored = json.loads(perdure("files", "upload", str(sent), "--name", "b", "--json", url=url).stdout)
    assert (stored["name"], stored["content_type"], stored["size_bytes"]) == ("b", "application/octet-stream", 2)
    assert perdure("files", "download", file_id, str(got), url=url).returncode == 0
    assert got.read_text() == "{}"
    nowhere = perdure("files", "download", file_id, str(tmp_path / "no" / "folder"), url=url)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (1, True)
    assert perdure("files", "delete", file_id, url=url).stdout.split() == [file_id, "deleted"]
    assert perdure("files", "download", file_id, str(got), url=url).returncode == 6
    assert perdure("files", "upload", str(tmp_path / "missing"), url=url).returncode == 2


MISTAKES = [
    (["jobs", "get", "01980000-0000-7000-8000-000000000000"], 6, "no job with this id"),
    (["jobs", "get", "nonsense"], 1, "job_id"),
    (["jobs", "submit", "never.heard"], 1, "Start a worker that has it"),
    (["jobs", "submit", "demo.sleep", "--payload", "{"], 2, "--payload must be JSON"),
    (["jobs", "submit", "csv.profile", "--file", "missing.csv"], 2, "no file"),
    (["jobs", "submit", "demo.sleep", "--email", "x"], 1, "context.email"),
    (["jobs", "list", "--limit", "0"], 2, "limit"),
    (["actions", "start", "cancel", "--yes"], 2, "or --all, alone"),
    (["actions", "start", "cancel", "--all", "--queue", "q"], 2, "or --all, alone"),
    (["jobs", "list", "--tag", "ä"], 1, "tag: "),
    (["nonsense"], 2, "No such command"),
]


def test_mistakes_are_one_clear_line(url):
    for arguments, code, said in MISTAKES:
        done = perdure(*arguments, url=url)
        assert done.returncode == code, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_nobody_there_is_said_with_what_to_do():
    done = perdure("jobs", "list", url="http://127.0.0.1:9")
    assert done.returncode == 7
    assert "perdure dev" in done.stderr
    as_json = perdure("jobs", "list", "--json", url="http://127.0.0.1:9")
    assert json.loads(as_json.stdout)["code"] == "server_unreachable"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PERDURE_LEASE_SECONDS": "long"}, "PERDURE_LEASE_SECONDS"),
        ({"PERDURE_HOST": "0.0.0.0"}, "perdure keys create"),
        ({"PERDURE_DATABASE_URL": "mysql://h/d"}, "PostgreSQL"),
        ({"PERDURE_DATABASE_URL": "postgresql://nobody:canary@127.0.0.1:9/d"}, "cannot be reached"),
        ({"MAILTRAP_API_KEY": "can ary"}, "MAILTRAP_API_KEY"),
    ],
)
def test_a_wrong_set_up_ends_with_what_to_mend(environment, said, tmp_path):
    done = perdure("serve", "--port", "0", "--data-dir", str(tmp_path), **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    assert "can ary" not in done.stderr


def test_a_port_in_use_is_said(url, tmp_path, embedded_url):
    port = url.rpartition(":")[2]
    done = perdure("serve", "--port", port, PERDURE_DATABASE_URL=embedded_url)
    assert (done.returncode, "PERDURE_PORT" in done.stderr) == (1, True)


def test_an_old_schema_names_the_command_that_mends_it(embedded_url):
    async def make(name):
        connection = await asyncpg.connect(embedded_url)
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    name = f"fresh_{os.getpid()}"
    fresh = embedded_url.partition("?")[0].rpartition("/")[0] + f"/{name}?" + embedded_url.partition("?")[2]
    _aside(make(name))
    refused = perdure("serve", "--port", "0", PERDURE_DATABASE_URL=fresh)
    assert refused.returncode == 1
    assert "perdure db upgrade" in refused.stderr
    upgraded = perdure("db", "upgrade", PERDURE_DATABASE_URL=fresh)
    assert "0001" in upgraded.stdout
    assert json.loads(perdure("db", "upgrade", "--json", PERDURE_DATABASE_URL=fresh).stdout) == {"applied": []}


def _aside(coroutine):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def test_the_demo_does_all_it_promises():
    started = time.monotonic()
    done = perdure("demo", MAILTRAP_API_KEY="a-key-that-must-not-be-used", PERDURE_PORT="nonsense")
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("1,461 rows", "csv.profile succeeded", "demo.fail failed", "attempt 3", "All of it happened"):
        assert said in done.stdout
    assert time.monotonic() - started < 60


def test_the_demo_profiles_the_users_own_table(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("fruit,price\napple,1.5\npear,2.5\n")
    done = perdure("demo", str(table))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine.csv" in done.stdout
    assert "fruit" in done.stdout
    assert perdure("demo", "missing.csv").returncode == 1


def test_many_jobs_are_submitted_from_a_file_or_standard_input(url, tmp_path):
    good, bad = '{"job_type": "demo.sleep", "payload": {"seconds": 0}}', '{"job_type": "demo.sleep", "priority": 1000}'
    file = tmp_path / "jobs.ndjson"
    file.write_text(f"{good}\n\n{bad}\n{good}\n")
    done = perdure("jobs", "submit", "--from", str(file), url=url)
    assert (done.returncode, done.stdout) == (1, "2 submitted, 1 refused\n")
    assert done.stderr.startswith("Job 1: priority: ")
    done = perdure("jobs", "submit", "--from", "-", "--json", url=url, stdin=f"{good}\n{good}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [one["index"] for one in answers]) == (0, [0, 1])
    assert (
        json.loads(perdure("jobs", "get", answers[1]["job_id"], "--json", url=url).stdout)["job_type"] == "demo.sleep"
    )


@pytest.mark.parametrize(
    "arguments", [[], ["demo.sleep", "--from", "x"], ["--from", "x", "--priority", "1"], ["--from", "/no/such/file"]]
)
def test_what_to_submit_is_said_once(arguments):
    assert perdure("jobs", "submit", *arguments).returncode == 2


def test_a_client_that_sends_everything_before_it_reads_is_answered(url):
    """More than all buffers between the two hold, each way."""
    lines = (b'["' + b"x" * 500 + b'"]' for _ in range(15_000))
    with Client(url) as client:
        answers = list(client.submit_many(lines, portion=15_000))
    assert [one["index"] for one in answers] == list(range(15_000))
    assert {one["problem"]["code"] for one in answers} == {"validation_failed"}


def test_a_schedule_is_set_shown_and_deleted(url):
    setting = ("schedules", "set", "nightly", "30 2 * * *")
    job = ("demo.sleep", "--payload", '{"seconds": 0}')
    foreseen = perdure(*setting, *job, "--time-zone", "Europe/Berlin", "--dry-run", url=url)
    assert foreseen.stdout.count("\nnext  ") == 5, foreseen.stderr
    assert "T" not in foreseen.stdout.partition("created_at")[2].partition("\n")[0], "as every other moment"
    made = perdure(
        *setting, "-", "--overlap", "skip", "--paused", "--json", url=url, stdin='{"job_type": "demo.sleep"}'
    )
    schedule = json.loads(made.stdout)
    assert (schedule["job"], schedule["overlap"]) == ({"job_type": "demo.sleep"}, "skip")
    rows = [line.split("\t") for line in perdure("schedules", "list", url=url).stdout.splitlines()]
    assert [row[:5] for row in rows[1:]] == [["nightly", "30 2 * * *", "UTC", "demo.sleep", "paused"]]
    assert perdure("schedules", "delete", "nightly", url=url).stdout == "nightly  deleted\n"
    assert perdure("schedules", "get", "nightly", url=url).returncode == 6


def test_a_subscription_is_set_shown_and_deleted(url):
    setting = (
        "subscriptions",
        "set",
        "ops",
        "--job-type",
        "demo.fail",
        "--event",
        "failure",
        "--email",
        "ops@example.com",
    )
    made = json.loads(perdure(*setting, "--json", url=url).stdout)
    assert (made["events"], made["notifications"]) == (["FAILURE"], {"email": {"to": ["ops@example.com"]}})
    rows = [line.split("\t") for line in perdure("subscriptions", "list", url=url).stdout.splitlines()]
    assert [row[:5] for row in rows[1:]] == [["ops", "demo.fail", "any", "FAILURE", "email"]]
    assert "ops@example.com" in perdure("subscriptions", "get", "ops", url=url).stdout
    assert perdure("subscriptions", "set", "ops", "--notifications", "[]", url=url).returncode == 2
    assert perdure("subscriptions", "delete", "ops", url=url).stdout == "ops  deleted\n"
    assert perdure("subscriptions", "get", "ops", url=url).returncode == 6


def test_an_endpoint_is_added_rotated_disabled_and_removed(url):
    def run(*arguments: str):
        return perdure("endpoints", *arguments, url=url)

    made = run("add", "crm", "https://127.0.0.1/hook")
    assert "whsec_" in made.stdout, made.stderr
    assert "whsec_" not in run("get", "crm").stdout
    rotated = json.loads(run("rotate", "crm", "--json").stdout)
    assert rotated["secret"] not in made.stdout
    tested = run("test", "crm")
    assert (tested.returncode, tested.stdout.split()[0]) == (1, "permanent")
    assert run("recover", "crm", "--since", "2030-01-31T12:00:00Z").stdout == "0 sent again\n"
    assert run("disable", "crm").stdout == "crm  disabled\n"
    rows = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [row[:4] for row in rows[1:]] == [["crm", "https://127.0.0.1/hook", "disabled", "by_hand"]]
    assert run("enable", "crm").stdout == "crm  active\n"
    assert run("remove", "crm").stdout == "crm  removed\n"
    assert run("test", "crm").returncode == 6
