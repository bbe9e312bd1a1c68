"""Files under kill -9, and on machines that do not share a folder, with real processes."""

from io import BytesIO

import pytest
from tests.processes.test_crashes import QUICKLY, running, until

from perdure.client import calls
from perdure.client.client import Client
from perdure.client.errors import PerdureAPIError

pytestmark = pytest.mark.xdist_group("crashes")

PROCESSORS = """
from pathlib import Path
from pydantic import BaseModel
from perdure import FileId, JobContext, processor


class Copy(BaseModel):
    file: FileId
    hang: bool = False


@processor("test.copy")
def copy(payload: Copy, ctx: JobContext) -> str:
    with ctx.open_input(payload.file) as source:
        copied = ctx.save_output("copy.txt", source, content_type="text/plain")
    if payload.hang and ctx.attempt == 1:
        ctx.progress(50)
        while not ctx.cancelled:
            Path("/dev/null").read_bytes()
    return copied


@processor("test.without")
def without(payload: dict) -> str:
    return "done"
"""


@pytest.fixture
def processors(tmp_path):
    (tmp_path / "copying.py").write_text(PROCESSORS)
    return {"PERDURE_PROCESSORS": "copying"}


def bytes_in(directory):
    return {path.name for path in (directory / "files").glob("*/*")}


def test_an_attempt_that_is_killed_after_it_saved_leaves_no_file_of_the_job(
    installation, database, processors, tmp_path
):
    server, worker = installation.serve(), installation.work(**processors)
    with Client(server.ready["url"]) as client:
        source = client.upload(BytesIO(b"content"), "source.txt")
        payload = {"file": source["file_id"], "hang": True}
        job = client.submit("test.copy", payload, retry=QUICKLY, max_retries=1)
        running(client, job)
        until(lambda: len(bytes_in(tmp_path / "data")) == 2)
        worker.kill()
        installation.work(**processors)
        ended = client.wait(job["job_id"], 40)
        files = client.call(calls.job_files(job["job_id"]))["items"]
    assert (ended["status"], ended["attempt"]) == ("SUCCEEDED", 2)
    assert [(one["file_id"], one["role"]) for one in files] == [
        (source["file_id"], "input"),
        (ended["result"], "output"),
    ]
    assert files[1]["sha256"] == source["sha256"]
    assert len(bytes_in(tmp_path / "data")) == 3, "the first attempt's bytes wait for the sweep"


def test_a_worker_on_another_machine_takes_files_once_it_shares_the_folder(installation, processors, tmp_path):
    server = installation.serve()
    worker = installation.work(**processors, PERDURE_DATA_DIR=str(tmp_path / "elsewhere"))
    with Client(server.ready["url"]) as client:
        stored = client.upload(BytesIO(b"content"), "source.txt")
        job = client.submit("test.copy", {"file": stored["file_id"]})
        other = client.submit("test.without", {})
        assert client.wait(other["job_id"], 60)["status"] == "SUCCEEDED", "any other job runs there"
        until(lambda: "file_store.missed" in worker.log.read_text())
        [listed] = [one for one in client.call(calls.workers())["items"] if one["process_id"] == worker.children[0].pid]
        assert (client.get(job["job_id"])["status"], listed["sees_files"]) == ("QUEUED", False)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / "elsewhere" / "files").symlink_to(tmp_path / "data" / "files")  # the share is mounted
        ended = client.wait(job["job_id"], 60)
        assert ended["status"] == "SUCCEEDED"
        client.download(ended["result"], tmp_path / "copy.txt")
    assert (tmp_path / "copy.txt").read_text() == "content"
    assert worker.log.read_text().count("file_store.missed") == 1


def test_a_server_on_another_machine_says_which_folder_it_lacks(installation, tmp_path):
    first = installation.serve()
    with Client(first.ready["url"]) as client:
        stored = client.upload(BytesIO(b"content"), "source.txt")
    second = installation.serve(PERDURE_DATA_DIR=str(tmp_path / "elsewhere"))
    with Client(second.ready["url"]) as client:
        for call in (
            lambda: client.upload(BytesIO(b"x"), "x"),
            lambda: client.download(stored["file_id"], tmp_path / "got"),
        ):
            with pytest.raises(PerdureAPIError, match="not the platform's file store") as refusal:
                call()
            assert refusal.value.status == 503
    assert bytes_in(tmp_path / "elsewhere") == set()
    until(lambda: "file_store.missed" in second.log.read_text())
