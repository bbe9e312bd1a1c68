"""The package with a provider that newcomers copy: its own tests pass, and Perdure finds it where it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

EXAMPLE = Path(__file__).parents[2] / "examples" / "provider-ntfy"
USED = """
import json
from perdure.core.job_factory import JobFactory
from perdure.enqueue import _factory
from perdure.provided import provided
from perdure.settings import Settings

registry = provided(Settings.read(), None)
declared = {"ntfy": {"topic": "builds"}, "email": {}}
print(json.dumps({
    "channels": registry.channels,
    "missing": registry.for_channel("ntfy").missing_settings(),
    "problems": len(registry.validate_declaration(declared)),
    "enqueued": len(_factory()._channels.validate_declaration(declared)),
}))
"""


def run(*command, folder, **environment):
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_its_own_tests_pass():
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=EXAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_found_where_it_is_installed_and_has_its_settings_from_the_environment(tmp_path):
    target = tmp_path / "installed"
    install = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--offline"]
    done = run(*install, "--python", sys.executable, "--target", str(target), str(EXAMPLE), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / ".env").write_text("NTFY_URL=https://ntfy.example\n")
    path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])
    done = run(sys.executable, "-c", USED, folder=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "ntfy" in found["channels"]
    assert (found["missing"], found["problems"], found["enqueued"]) == ([], 0, 0)
