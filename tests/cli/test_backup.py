"""A backup as an operator takes it: of a platform that runs, into another data directory, and on it goes."""

import json
import os
import shutil
import subprocess
import sys

from perdure.cli.output import ExitCode
from perdure.client import calls
from perdure.client.client import Client

SETTINGS = {"PERDURE_CONCURRENCY": "1", "PERDURE_LEASE_SECONDS": "3"}


def test_what_was_waiting_and_what_was_running_goes_on_in_another_place(installation, tmp_path):
    def place(name):
        return {"PERDURE_DATABASE_URL": "", "PERDURE_DATA_DIR": str(tmp_path / name)} | SETTINGS

    def perdure(name, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "perdure", "db", *arguments],
            env=os.environ | place(name),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    first = installation.start("dev", "--port", "0", **place("first"))
    with Client(first.ready["url"]) as client:
        running = client.call(calls.submit({"job_type": "demo.sleep", "payload": {"seconds": 60}}))["job_id"]
        while client.call(calls.get_job(running))["status"] != "RUNNING":
            pass
        waiting = client.call(calls.submit({"job_type": "demo.sleep", "payload": {"seconds": 0}}))["job_id"]
        dumped = perdure("first", "dump", "perdure.dump")
    assert dumped.returncode == 0, dumped.stderr
    assert perdure("first", "dump", "perdure.dump").returncode == ExitCode.ERROR, "it is not overwritten"
    assert "Stop" in perdure("first", "restore", "perdure.dump", "--force").stderr, "nor a platform that runs"
    first.kill()

    restored = perdure("second", "restore", "perdure.dump", "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout) == {"jobs": 2, "applied": []}
    assert "--force" in perdure("second", "restore", "perdure.dump").stderr, "now there is something to lose"
    shutil.copytree(tmp_path / "first" / "files", tmp_path / "second" / "files")
    second = installation.start("dev", "--port", "0", **place("second"))
    with Client(second.ready["url"]) as client:
        assert client.call(calls.wait_for_job(waiting, 30))["status"] == "SUCCEEDED"
        retry = next(one for one in client.call(calls.job_events(running))["items"] if one["event"] == "RETRY")
        assert retry["data"]["error"]["reason"] == "worker_lost"
