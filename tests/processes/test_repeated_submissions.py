"""A server is killed while somebody submits a job, who has no answer and asks again: it is one job."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from signal import SIGKILL

import pytest
from tests.processes.dying import die_at
from tests.processes.forked import Forks
from tests.processes.test_code_blocks import free_port

from perdure.client import calls
from perdure.client.client import Client

pytestmark = pytest.mark.xdist_group("crashes")


@pytest.mark.parametrize("failpoint", ["submitted, not committed", "submitted, not answered"])
def test_a_submission_whose_server_was_killed_is_one_job(database, embedded_url, tmp_path, monkeypatch, failpoint):
    monkeypatch.setattr("perdure.client.wire.REPEATED_AFTER_SECONDS", (0.05,) * 600)
    with (
        Forks(tmp_path, database_url=embedded_url, port=free_port()) as forks,
        ThreadPoolExecutor(1) as aside,
    ):
        assert forks.start().url is None, "a worker runs, and has published its job types"
        doomed = forks.start(partial(die_at, failpoint), serves=True)
        with Client(doomed.url) as client:
            submission = aside.submit(client.submit, "demo.sleep", {"seconds": 0})
            assert doomed.end() == -SIGKILL
            assert forks.start(serves=True).url == doomed.url
            job = client.wait(submission.result(30)["job_id"], 60)
            assert job["status"] == "SUCCEEDED"
            assert [one["job_id"] for one in client.call(calls.list_jobs())["items"]] == [job["job_id"]]
