"""The package of processors that newcomers copy: its own tests pass, and a worker finds what it brings."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "processors"


def run(*command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_its_own_tests_pass():
    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=EXAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_worker_finds_its_job_types():
    script = "from perdure.processors.registry import ProcessorRegistry as R; print(*R.load(['acme_jobs']).job_types)"
    done = run(sys.executable, "-c", script, folder=EXAMPLE)
    assert {"orders.summarize", "report.fetch"} < set(done.stdout.split()), done.stderr
