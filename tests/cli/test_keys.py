"""Keys as an operator lives with them: real commands, real servers."""

import json
import os
import subprocess
import sys

import pytest

from perdure.cli.output import ExitCode
from perdure.client import calls
from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError
from perdure.core.key_format import generate_key


@pytest.fixture
def perdure(database, embedded_url, tmp_path):
    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "perdure", *arguments],
            env=os.environ | {"PERDURE_DATABASE_URL": embedded_url} | environment,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )

    return run


def test_a_key_is_made_listed_and_revoked(perdure):
    made = perdure("keys", "create", "shop", "--expires-in-days", "2")
    token = made.stdout.strip()
    assert made.returncode == 0
    assert "cannot be shown again" in made.stderr
    key_id = token.split("_")[1]
    [listed] = json.loads(perdure("keys", "list", "--json").stdout)["items"]
    assert (listed["key_id"], listed["name"], listed["state"]) == (key_id, "shop", "live")
    assert listed["scopes"] == ["read", "submit"]
    assert token.split("_")[2] not in str(listed)
    assert "revoked" in perdure("keys", "revoke", key_id).stdout
    assert "revoked" in perdure("keys", "list").stdout
    unknown = perdure("keys", "revoke", "nothing")
    assert (unknown.returncode, "perdure keys list" in unknown.stderr) == (ExitCode.ERROR, True)
    assert perdure("keys", "create", "x", "--scope", "everything").returncode == ExitCode.USAGE


def test_no_server_lets_other_machines_in_without_a_key(perdure):
    for host in ("0.0.0.0", "::"):
        refused = perdure("serve", "--host", host, "--port", "0")
        assert refused.returncode == ExitCode.ERROR
        assert "perdure keys create" in refused.stderr
    badly_copied = perdure("serve", "--port", "0", PERDURE_BOOTSTRAP_KEY="pdr_canary")
    assert badly_copied.returncode == ExitCode.ERROR
    assert "perdure keys generate" in badly_copied.stderr
    assert "canary" not in badly_copied.stderr + badly_copied.stdout


def test_a_container_starts_with_its_own_key_and_brings_no_revoked_one_back(perdure, installation, tmp_path):
    token = perdure("keys", "generate").stdout.strip()
    secret = tmp_path / "bootstrap_key"
    secret.write_text(f"{token}\n")
    environment = {"PERDURE_HOST": "0.0.0.0", "PERDURE_BOOTSTRAP_KEY_FILE": str(secret)}
    first = installation.serve(**environment)
    with Client(first.ready["url"], token) as client:
        client.call(calls.list_jobs())
        perdure("keys", "revoke", token.split("_")[1])
        with pytest.raises(PerdureAPIError) as refusal:
            while True:  # until it is noticed, which is within a second
                client.call(calls.list_jobs())
        assert refusal.value.status == 401
    second = installation.serve(**environment)
    with Client(second.ready["url"], token) as client, pytest.raises(PerdureAPIError, match="revoked"):
        client.call(calls.list_jobs())


def test_a_running_server_asks_for_keys_as_soon_as_there_is_one(perdure, installation):
    server = installation.serve()
    with Client(server.ready["url"], generate_key()) as client:
        client.call(calls.list_jobs())
        perdure("keys", "create", "first")
        with pytest.raises(PerdureAPIError, match="perdure keys create"):
            while True:
                client.call(calls.list_jobs())
        client.call(calls.health())
