"""The doctor as people and programs call it: on nothing at all, and on what is wrong."""

import json
import os
import subprocess
import sys

import pytest

from perdure.cli.output import ExitCode


@pytest.fixture
def doctor(tmp_path):
    def run(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "perdure", "doctor", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        assert "canary" not in done.stdout
        assert "\x1b" not in done.stdout
        return done

    return run


def test_it_needs_nothing_but_itself(doctor, tmp_path):
    done = doctor("--json")
    assert done.returncode == ExitCode.OK
    answer = json.loads(done.stdout)
    levels = {one["check"]: one["level"] for one in answer["items"]}
    assert answer["level"] == levels.pop("mailtrap") == "warn"
    assert set(levels.values()) == {"ok"}
    assert {"settings", "database", "migrations", "api_keys", "file_store"} <= levels.keys()


def test_what_is_wrong_is_said_with_what_to_do_and_an_exit_code(doctor):
    done = doctor("--database-url", "postgresql://u:canary@127.0.0.1:9/d", MAILTRAP_API_KEY="canary x")
    assert done.returncode == ExitCode.ERROR
    lines = done.stdout.splitlines()
    assert any(line.startswith("✗ database ") for line in lines)
    assert any(line.strip().startswith("→ Start the server") for line in lines)
    assert any(line.startswith("✗ providers ") and "MAILTRAP_API_KEY" in line for line in lines)
    assert lines[-1].endswith("2 to mend.")
    refused = doctor(PERDURE_PORT="canary")
    assert refused.returncode == ExitCode.ERROR
    assert "PERDURE_PORT" in refused.stdout
