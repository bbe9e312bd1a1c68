"""`perdure db prune` as an operator runs it, and killed in the middle."""

import json
import os
import subprocess
import sys

import pytest
from tests import history
from tests.history import Past, Told

OLD = [Past(told=[Told(ended_days=95)], ended_days=95)] * 6_000
YOUNG = [Past(ended_days=1)] * 10


@pytest.fixture
def prune(database, embedded_url, tmp_path):
    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "perdure", "db", "prune", *arguments],
            env=os.environ | {"PERDURE_DATABASE_URL": embedded_url},
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    def run(*arguments):
        with start(*arguments) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return said

    run.start = start
    return run


async def test_a_kill_between_batches_leaves_nothing_half_removed(database, prune):
    await history.write(database, OLD + YOUNG)
    with prune.start() as process:
        while (await history.count(database))["jobs"] == len(OLD + YOUNG):
            assert process.poll() is None
        process.kill()
    left = await history.count(database)
    assert len(YOUNG) < left["jobs"] < len(OLD + YOUNG), "it was in the middle"
    assert left["jobs"] == left["job_events"] == left["deliveries"] + len(YOUNG)
    assert left["deliveries"] == left["delivery_attempts"] == left["delivery_feedback"]
    assert await history.orphans(database) == 0
    rest = json.loads(prune("--json"))["rows"]
    assert rest["jobs"] == left["jobs"] - len(YOUNG)
    assert (await history.count(database))["jobs"] == len(YOUNG)


async def test_a_dry_run_counts_and_the_options_decide(database, prune):
    await history.write(database, [Past(), Past(told=[Told()])])
    dry = json.loads(prune("--dry-run", "--json"))
    assert dry == {"dry_run": True, "rows": {"jobs": 1, "job_events": 1, "job_tags": 1}}
    assert "Nothing" in prune("--jobs-days", "0")
    assert (await history.count(database))["jobs"] == 2
    assert prune("--audit-days", "35").splitlines() == [
        "table\tremoved",
        "deliveries\t1",
        "delivery_attempts\t1",
        "delivery_feedback\t1",
        "job_events\t2",
        "job_tags\t2",
        "jobs\t2",
    ]
