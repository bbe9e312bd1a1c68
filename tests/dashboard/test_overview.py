"""The overview: what it tells, and that many who look cost no more than one."""

import pytest
from tests.repositories.test_plans import sent

OURS = {"sec-fetch-site": "same-origin"}


async def submit(http, **fields):
    job = {"job_type": "demo.sleep", "payload": {"seconds": 0}} | fields
    answer = await http.post("/v1/jobs", json=job)
    assert answer.status_code == 201, answer.text
    return answer.json()["job_id"]


async def test_it_says_what_needs_a_person(http):
    await submit(http)
    await submit(http, queue="slow")
    await http.post("/v1/queues/slow/pause", json={"reason": "<b>the printer</b> burns"})
    page = (await http.get("/")).text
    assert "and no living worker takes them" in page
    assert page.count("no living worker takes them") == 1, "what waits in a paused queue waits for its pause"
    assert "is paused since" in page
    assert "&lt;b&gt;the printer&lt;/b&gt; burns" in page
    assert 'href="/jobs?status=QUEUED"' in page


async def test_what_fails_is_told_by_its_error_and_retried_as_a_group(http, platform):
    for _ in range(2):
        job_id = await submit(http, job_type="demo.fail", payload={"message": "the tape tore"}, max_retries=0)
    async with platform.runtime(run_worker=True).running():
        assert (await http.get(f"/v1/jobs/{job_id}/wait?timeout_seconds=20")).json()["status"] == "FAILED"
    job = (await http.get(f"/v1/jobs/{job_id}")).json()
    page = (await http.get("/")).text
    assert "the tape tore" in page
    address = f"/jobs/actions/new?action=retry&amp;status=FAILED&amp;error_group={job['error']['fingerprint']}"
    assert address in page
    assert "Retry 2 jobs?" in (await http.get(address.replace("&amp;", "&"))).text


@pytest.mark.parametrize("period", ["1h", "24h", "7d"])
async def test_each_period_has_its_charts(http, period):
    await submit(http)
    page = (await http.get(f"/?period={period}")).text
    for name in ("Throughput", "Failure rate", "Median wait", "Median duration"):
        assert f"<caption>{name}</caption>" in page
    assert page.count('class="chart"') == 4


async def test_a_period_that_is_none_is_refused(http):
    assert (await http.get("/?period=1y")).status_code == 422


async def test_many_who_look_cost_no_more_than_one(http, platform):
    await submit(http)
    with sent(platform.database) as statements:
        await http.get("/")
    first = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
    assert len(first) <= 20, first
    with sent(platform.database) as statements:
        for _ in range(20):
            await http.get("/")
    assert [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one] == []
