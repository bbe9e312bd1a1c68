"""Commands that start processes of their own: the demo, and a worker of several processes."""

import os
import subprocess
import sys

import httpx2
import psutil
import pytest
from tests.installation import until

from perdure.cli.run import _mails, _own_port
from perdure.settings import Settings

pytestmark = pytest.mark.xdist_group("cli")


def test_the_demo_takes_its_platform_along_even_by_kill_9(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "perdure", "demo", "--data-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PERDURE_URL"},
    ) as demo:
        assert any(line.startswith("The input") for line in demo.stdout), "the platform answers"
        platform = psutil.Process(demo.pid).children()
        assert len(platform) == 1
        demo.kill()
        _, left = psutil.wait_procs(platform, timeout=30)
    assert left == []


def test_the_demo_says_what_did_not_happen_on_the_platform_it_was_given(installation):
    """A server with no provider of mails: the jobs run, nobody can be told."""
    url = installation.serve().ready["url"]
    installation.work()
    done = subprocess.run(
        [sys.executable, "-m", "perdure", "demo", "--url", url], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "✓ csv.profile succeeded" in done.stdout
    assert "✗ ada@example.com was told about csv.profile: its delivery is SKIPPED" in done.stdout
    assert "provider_not_configured" in done.stdout
    assert "no local inbox" in done.stdout
    assert "Starting the platform" not in done.stdout


def test_a_worker_of_several_processes_replaces_one_that_dies_and_stops_whole(installation):
    parent = installation.work("--processes", "2")
    assert parent.ready == {"ready": True}
    first, second = parent.children
    first.kill()
    until(lambda: len({one.pid for one in parent.children} - {first.pid}) == 2)
    assert second.is_running()
    log = parent.log.read_text()
    assert "worker.process_ended" in log
    assert "SIGKILL" in log
    running = parent.children
    assert parent.stop() == 0
    assert not any(one.is_running() for one in running)
    assert parent.said() == "", "it says once that it is ready, however many there are"


def test_a_mistake_of_the_user_ends_all_processes_and_is_said_once(installation):
    done = installation.fail("worker", "--processes", "2", "--processors", "no_such_module")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "no_such_module" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_worker_can_be_watched_over_http(installation):
    ready = installation.work("--metrics-port", "0").ready
    base = ready["metrics_url"].removesuffix("/metrics")
    assert httpx2.get(f"{base}/healthz").json() == {"status": "alive"}
    told = httpx2.get(ready["metrics_url"]).text
    assert "perdure_workers_alive 1.0" in told
    assert "perdure_up 1.0" in told
    taken = installation.fail("worker", "--metrics-port", base.rpartition(":")[2])
    assert taken.returncode == 1
    assert "--metrics-port" in taken.stderr


def test_each_of_several_processes_is_watched_at_a_port_of_its_own():
    for first, ports in [("9100", ["9100", "9101"]), ("0", ["0", "0"])]:
        settings = Settings.read(environment={"PERDURE_METRICS_PORT": first})
        assert [_own_port(settings, number) for number in (0, 1)] == [["--metrics-port", port] for port in ports]
    assert _own_port(Settings.read(environment={"PERDURE_METRICS_PORT": ""}), 1) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"MAILTRAP_API_KEY": "k", "MAILTRAP_INBOX_ID": "42"},
            "go to inbox 42 of Mailtrap's sandbox, and to nobody else",
        ),
        ({"MAILTRAP_API_KEY": "k"}, "go nowhere: MAILTRAP_INBOX_ID missing"),
        ({"MAILTRAP_API_HOST": "127.0.0.1:9"}, "go nowhere: MAILTRAP_API_KEY and MAILTRAP_INBOX_ID missing"),
        ({"MAILTRAP_API_KEY": "k", "MAILTRAP_USE_SANDBOX": "false"}, "reach people, through Mailtrap"),
        ({"SMTP_URL": "smtp://mail.example"}, "reach people, through the mail server of SMTP_URL"),
    ],
)
def test_the_platform_says_where_mails_go(variables, said):
    assert _mails(Settings.read(environment=variables), None) == said
