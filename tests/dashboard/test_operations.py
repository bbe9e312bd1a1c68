"""Queues and workers as pages: how they stand, and a queue that is stopped and started again."""

from uuid import uuid4

import pytest
from tests.repositories.test_plans import sent

from perdure.models.lease import WorkerIdentity
from perdure.repositories.queue_queries import QueueQueries
from perdure.repositories.worker_repository import WorkerRepository

OURS = {"sec-fetch-site": "same-origin"}
HOSTILE = '<script>alert("perdure")</script>'
ESCAPED = "&lt;script&gt;alert(&#34;perdure&#34;)&lt;/script&gt;"


async def submit(http, **fields):
    answer = await http.post("/v1/jobs", json={"job_type": "demo.sleep", "payload": {"seconds": 0}} | fields)
    assert answer.status_code == 201, answer.text


async def register(platform, **fields):
    identity = {
        "worker_id": uuid4(),
        "hostname": "host",
        "process_id": 7,
        "version": "1.2.3",
        "queues": (),
        "job_types": ("demo.sleep",),
        "concurrency": 4,
    }
    async with platform.database.transaction() as connection:
        await WorkerRepository(connection).register(WorkerIdentity(**identity | fields), 30.0)


async def paused(platform):
    async with platform.database.snapshot() as connection:
        return {one.name: one for one in await QueueQueries(connection).paused()}


async def test_nothing_there_is_told(http):
    assert "Nothing waits, and nothing runs" in (await http.get("/queues")).text
    assert "No worker is there" in (await http.get("/workers")).text


async def test_a_queue_is_paused_with_a_reason_and_resumed(http, platform):
    await submit(http, queue="q1")
    page = (await http.get("/queues")).text
    assert 'action="/queues/q1/pause"' in page
    assert "no worker serves it" in page
    answer = await http.post("/queues/q1/pause", data={"reason": f" {HOSTILE} "}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
    held = (await paused(platform))["q1"]
    assert (held.paused_by, held.pause_reason) == ("local", HOSTILE)
    page = (await http.get("/queues", headers={"cookie": answer.headers["set-cookie"].partition(";")[0]})).text
    assert "q1 is paused" in page
    assert ESCAPED in page
    assert HOSTILE not in page
    assert 'action="/queues/q1/resume"' in page
    await http.post("/queues/q1/resume", data={}, headers=OURS)
    assert await paused(platform) == {}


async def test_a_reason_is_no_longer_than_it_may_be(http, platform):
    await http.post("/queues/q1/pause", data={"reason": "a" * 900}, headers=OURS)
    await http.post("/queues/q2/pause", data={"reason": " "}, headers=OURS)
    held = await paused(platform)
    assert (held["q1"].pause_reason, held["q2"].pause_reason) == ("a" * 500, None)


@pytest.mark.parametrize("name", ["%20", "%3Cb%3E", "a" * 101])
async def test_what_is_no_name_is_no_queue(http, name):
    answer = await http.post(f"/queues/{name}/pause", data={"reason": ""}, headers=OURS)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


async def test_workers_are_told_as_they_are(http, platform):
    await register(platform, hostname=HOSTILE, queues=("q1", HOSTILE), version="1.2.3")
    await register(platform, version="1.2.4")
    page = (await http.get("/workers")).text
    assert page.count('data-state="ALIVE"') == 2
    assert ESCAPED in page
    assert HOSTILE not in page
    assert "different versions are at work: 1.2.3, 1.2.4" in page
    queues = (await http.get("/queues")).text
    assert HOSTILE not in queues


async def test_a_page_is_few_statements(http, platform):
    for number in range(5):
        await submit(http, queue=f"q{number}")
        await register(platform)
    for path, most in (("/queues", 18), ("/workers", 1)):
        with sent(platform.database) as statements:
            assert (await http.get(path)).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= most, asked
