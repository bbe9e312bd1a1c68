"""The list of jobs, and what is done to many of them, as a browser asks for it."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from tests.repositories.test_plans import sent

from perdure.dashboard.job_filters import JobsAsked
from perdure.dashboard.pages.jobs import PAGE

OURS = {"sec-fetch-site": "same-origin"}
JOB = {"job_type": "demo.sleep", "payload": {"seconds": 0}}


async def submit(http, **fields):
    answer = await http.post("/v1/jobs", json=JOB | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["job_id"]


def rows(html):
    return re.findall(r'data-row="([0-9a-f-]{36})"', html)


def count_of(html, label):
    found = re.search(rf"</svg>{label} <span class=\"count\">([^<]*)</span>", html)
    return found and found[1]


async def test_the_first_visit_teaches_how_to_begin(http):
    for path in ("/", "/jobs"):
        page = (await http.get(path)).text
        assert "No job was submitted yet" in page
        assert "curl http://localhost/v1/jobs" in page
    assert "No job matches" in (await http.get("/jobs?tag=a")).text


async def test_pages_of_jobs_are_linked_newest_first(http):
    made = [await submit(http) for _ in range(PAGE + 3)]
    first = (await http.get("/jobs")).text
    assert rows(first) == made[: -PAGE - 1 : -1]
    older = re.search(r'href="(/jobs\?before=[^"]+)"', first)[1]
    second = (await http.get(older)).text
    assert rows(second) == made[2::-1]
    assert 'rel="next"' not in second
    assert '<a class="button" href="/jobs"' in second
    assert count_of(first, "Queued") == str(PAGE + 3)


async def test_what_is_chosen_stands_in_the_address(http):
    mine = await submit(http, tags=["a"], context={"user_id": "u-1", "email": "Me@example.com"}, queue="q")
    await submit(http, tags=["b"])
    for chosen in (
        "tag=a",
        "user_id=u-1",
        "email=me@example.com",
        "queue=q",
        "tag=a&age=1h&status=QUEUED",
        "q=" + mine[:18],
    ):
        page = (await http.get(f"/jobs?{chosen}")).text
        assert rows(page) == [mine], chosen
        assert count_of(page, "Queued") == "1", chosen
    assert rows((await http.get("/jobs?tag=a&status=FAILED")).text) == []
    assert rows((await http.get("/jobs?created_before=2020-01-01T00:00")).text) == []
    page = (await http.get("/jobs?tag=a&queue=q&status=QUEUED")).text
    assert 'href="/jobs?queue=q&amp;status=QUEUED"' in page  # without the tag
    assert 'href="/jobs?tag=a&amp;queue=q&amp;status=RUNNING"' in page


async def test_a_whole_id_leads_to_its_job(http):
    job_id = await submit(http)
    answer = await http.get("/jobs", params={"q": job_id})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job_id}")


@pytest.mark.parametrize(
    "query", ["status=BUSY", "age=2y", "created_after=soon", "job_type=%00", "before=x", "error_group=zz"]
)
async def test_values_that_no_job_can_have_are_refused_on_a_page(http, query):
    answer = await http.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_page_is_few_statements(http, platform):
    for number in range(5):
        await submit(http, tags=["a"], queue=f"q{number}")
    for path, most in (("/jobs", 4), ("/jobs?tag=a&queue=q1", 7), ("/jobs/live", 3)):
        with sent(platform.database) as statements:
            assert (await http.get(path)).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= most, asked


async def test_what_changes_is_told_row_by_row(http):
    first, second = await submit(http), await submit(http)
    await http.post(f"/v1/jobs/{first}/cancel")
    newer = [await submit(http) for _ in range(3)]
    live = (await http.get("/jobs/live", params={"job_id": [first, str(uuid4())], "newest": second})).text
    assert rows(live) == [first]
    assert 'data-state="CANCELLED"' in live
    assert "3 new jobs" in live
    none = (await http.get("/jobs/live", params={"newest": newer[-1]})).text
    assert "new job" not in none.partition('id="news"')[2]


async def test_many_are_previewed_and_acted_on(http, platform):
    waiting = [await submit(http, tags=["a"]) for _ in range(3)]
    other = await submit(http)
    ended = await submit(http, tags=["a"])
    await http.post(f"/v1/jobs/{ended}/cancel")
    preview = (await http.get("/jobs/actions/new?action=cancel&tag=a")).text
    assert "Cancel 3 jobs?" in preview
    assert "1 have ended already" in preview
    assert set(rows(preview)) == set(waiting)
    form = {"action": "cancel", "tag": "a", "matched": "4", "reason": "too many"}
    started = await http.post("/jobs/actions", data=form, headers=OURS)
    assert re.fullmatch(r"/jobs/actions/[0-9a-f-]{36}\?of=4", started.headers["location"])
    while await platform.job_actions.advance() is not None:
        pass
    page = (await http.get(started.headers["location"])).text
    assert "<b>3</b> cancelled" in page
    assert "too many" in page
    assert (await http.get(f"/v1/jobs/{other}")).json()["status"] == "QUEUED"
    assert "too many" in (await http.get("/jobs/actions")).text


async def test_some_are_acted_on_at_once(http):
    waiting, ended, other = [await submit(http, tags=["a"]) for _ in range(3)]
    await http.post(f"/v1/jobs/{ended}/cancel")
    preview = (
        await http.get("/jobs/actions/new", params={"action": "cancel", "tag": "a", "job_id": [waiting, ended]})
    ).text
    assert "You selected 2 jobs" in preview
    assert "Cancel 1 job?" in preview
    form = {"action": "cancel", "tag": "a", "job_id": [waiting, ended]}
    done = await http.post("/jobs/actions", data=form, headers=OURS)
    assert done.headers["location"] == "/jobs?tag=a"
    page = (await http.get("/jobs", headers={"cookie": done.headers["set-cookie"].partition(";")[0]})).text
    assert "1 job is cancelled, or asked to stop. 1 left as they are" in page
    assert (await http.get(f"/v1/jobs/{other}")).json()["status"] == "QUEUED"


async def test_every_job_there_is_must_be_meant(http):
    await submit(http)
    assert "Every job there is" in (await http.get("/jobs/actions/new?action=cancel")).text


@pytest.mark.parametrize(
    "form", [{}, {"action": "delete"}, {"action": "retry", "job_id": "x"}, {"action": "retry", "status": "BUSY"}]
)
async def test_forms_that_are_none_are_refused(http, form):
    answer = await http.post("/jobs/actions", data=form, headers=OURS)
    assert answer.status_code in (415, 422)
    assert answer.headers["content-type"].startswith("text/html")


async def test_nothing_that_a_job_says_is_markup(http):
    hostile = '<script>alert("x")</script>'
    await submit(http, context={"user_id": hostile})
    page = (await http.get("/jobs", params={"user_id": hostile})).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_what_a_cursor_of_time_says_without_a_zone_is_utc():
    now = datetime(2026, 11, 30, tzinfo=UTC)
    asked = JobsAsked.of(_multi([("created_after", "2026-11-01T10:30")]), now)
    assert asked.shape.created_after == datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
    assert JobsAsked.of(_multi([("age", "24h")]), now).shape.created_after == datetime(2026, 11, 29, tzinfo=UTC)


def _multi(fields):
    from starlette.datastructures import ImmutableMultiDict

    return ImmutableMultiDict(fields)
