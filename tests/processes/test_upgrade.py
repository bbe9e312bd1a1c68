"""Versions side by side: a migration while the platform works, a rolling restart, a job type that not all know."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.databases import create_database, run_aside
from tests.later_versions import CONTRACT, EXPAND, INDEX, become, being, write
from tests.processes.forked import LOG, Forks
from tests.processes.test_crashes import events, running

from perdure.client import calls
from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError
from perdure.db import migrate
from perdure.db.session import Database
from perdure.db.url import DatabaseUrl
from perdure.errors import Conflict

pytestmark = pytest.mark.xdist_group("crashes")

PROCESSORS = """
import asyncio
from pathlib import Path
from perdure import processor


@processor("test.wait_for_file")
async def wait_for_file(payload: str) -> None:
    while not Path(payload).exists():
        await asyncio.sleep(0.01)
"""


@pytest.fixture
def database_url(embedded_url: str, worker_id: str) -> str:
    return run_aside(create_database(embedded_url, f"side_by_side_{worker_id}"))


@pytest.fixture
def forks(database_url: str, tmp_path: Path) -> Iterator[Forks]:
    (tmp_path / "waiting.py").write_text(PROCESSORS)
    with Forks(tmp_path, database_url=database_url, drain_seconds=0.5) as forks:
        yield forks


class Flow:
    """Jobs that are submitted one after the other: the ids of those accepted, and how many were refused for now."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.accepted: list[str] = []
        self.refused = 0

    def submit(self) -> str | None:
        try:
            self.accepted.append(self._client.submit("demo.sleep", {"seconds": 0.02})["job_id"])
        except PerdureAPIError as error:
            assert error.status == 503
            self.refused += 1
            return None
        return self.accepted[-1]


@contextmanager
def flowing(client: Client) -> Iterator[Flow]:
    """Submits all the time, while the block lasts."""
    flow, over = Flow(client), threading.Event()

    def run() -> None:
        while not over.is_set():
            flow.submit()

    with ThreadPoolExecutor(1) as thread:
        submitting = thread.submit(run)
        try:
            yield flow
        finally:
            over.set()
            submitting.result()


def upgrade(database_url: str) -> list[str]:
    async def run() -> list[str]:
        database = Database(DatabaseUrl.parse(database_url))
        try:
            return await migrate.upgrade(database)
        finally:
            await database.close()

    return run_aside(run())


def test_old_and_new_work_side_by_side_through_migrations(forks: Forks, database_url: str, tmp_path: Path):
    server, old = forks.start(serves=True), forks.start(processors=["waiting"])
    assert old.url is None
    later = write(tmp_path / "later", EXPAND, INDEX)
    with Client(server.url) as client, being(later):
        with flowing(client) as flow:
            assert len(upgrade(database_url)) == 2
            job = client.submit("demo.sleep", {"seconds": 0})
            assert client.wait(job["job_id"], 60)["status"] == "SUCCEEDED", "old code goes on, on the new schema"
            long = client.submit("test.wait_for_file", str(tmp_path / "file"), max_retries=0, priority=1)
            running(client, long)
            new = forks.start(partial(become, later), processors=["waiting"])
            assert new.url is None, "new code works beside it"
            old.terminate()
            assert old.end(0.5 + 5) == 0
            (tmp_path / "file").touch()
        ended = [client.wait(job_id, 60) for job_id in (*flow.accepted, long["job_id"])]
        assert {(one["status"], one["attempt"]) for one in ended} == {("SUCCEEDED", 1)}, "no attempt was used up"
        assert flow.refused == 0
        assert events(client, long) == ["CREATED", "STARTED", "RELEASED", "STARTED", "SUCCESS"]

        with being(write(tmp_path / "contract", CONTRACT)):
            with pytest.raises(Conflict):  # the old server
                upgrade(database_url)
            assert client.get(long["job_id"])["status"] == "SUCCEEDED", "it goes on"
            server.terminate()
            assert server.end() == 0
            assert len(upgrade(database_url)) == 1
        assert forks.start().end() == 1, "old code starts no more"
        assert "Install the newer version here." in (tmp_path / LOG).read_text()
    with Client(forks.start(partial(become, later), serves=True).url) as client:
        assert client.wait(client.submit("demo.sleep", {"seconds": 0})["job_id"], 60)["status"] == "SUCCEEDED"


def test_a_worker_leaves_jobs_of_a_type_that_it_does_not_know(forks: Forks, tmp_path: Path):
    knowing = forks.start(processors=["waiting"])
    assert knowing.url is None
    knowing.terminate()
    assert knowing.end() == 0
    with Client(forks.start(serves=True).url) as client:
        unknown = client.submit("test.wait_for_file", str(tmp_path), priority=1)
        known = [client.submit("demo.sleep", {"seconds": 0}) for _ in range(3)]
        forks.start()
        assert {client.wait(job["job_id"], 60)["status"] for job in known} == {"SUCCEEDED"}
        assert (client.get(unknown["job_id"])["status"], client.get(unknown["job_id"])["attempt"]) == ("QUEUED", 0)
        forks.start(processors=["waiting"])
        assert client.wait(unknown["job_id"], 60)["status"] == "SUCCEEDED"
        assert len({one["worker_id"] for one in client.call(calls.workers())["items"]}) == 2
