"""A job's page: all that is on record, and what can be done with it."""

import asyncio
from uuid import uuid4

from tests.repositories.test_plans import sent

from perdure.core.api_keys import ApiKeys
from perdure.core.browsers import SESSION_COOKIE
from perdure.models.api_key import Scope

OURS = {"sec-fetch-site": "same-origin"}
MAIL = {"email": {"on": ["SUCCESS", "CANCELLED"]}}


async def submit(http, **fields):
    job = {"job_type": "demo.sleep", "payload": {"seconds": 0}} | fields
    answer = await http.post("/v1/jobs", json=job)
    assert answer.status_code == 201, answer.text
    return answer.json()["job_id"]


async def ended(http, job_id):
    async with asyncio.timeout(20):
        while True:
            job = (await http.get(f"/v1/jobs/{job_id}/wait?timeout_seconds=5")).json()
            if job["finished_at"]:
                return job


async def test_a_job_is_told_from_its_beginning_to_its_end(http, platform):
    context = {"user_id": "u-1", "email": "ada@example.com"}
    job_id = await submit(
        http,
        job_type="demo.fail",
        payload={"message": "the tape tore", "times": 1},
        context=context,
        notifications=MAIL,
    )
    async with platform.runtime(run_worker=True).running():
        await ended(http, job_id)
        page = (await http.get(f"/jobs/{job_id}")).text
    told = [
        page.index(part) for part in ("Submitted", "Attempt 1", "the tape tore", "Attempt 2", "Email about SUCCESS")
    ]
    assert told == sorted(told)
    assert "failed, to be tried again" in page
    assert "a***@e***.com" in page
    assert "Run it again?" in page


async def test_a_job_that_waits_says_why(http):
    job_id = await submit(http)
    page = (await http.get(f"/jobs/{job_id}")).text
    assert "Why it waits" in page
    assert "No worker is alive" in page
    assert "<code>" not in page.partition("Why it waits")[2].partition("</section>")[0] or "perdure worker" in page
    assert "It waits, so it is cancelled at once." in page


async def test_a_page_is_few_statements(http, platform):
    waiting = await submit(http, notifications=MAIL, context={"email": "ada@example.com"})
    ended_one = await submit(http, notifications=MAIL, context={"email": "ada@example.com"})
    await http.post(f"/v1/jobs/{ended_one}/cancel")
    for job_id in (waiting, ended_one):
        with sent(platform.database) as statements:
            assert (await http.get(f"/jobs/{job_id}")).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= 9, asked


async def test_it_is_cancelled_and_run_again(http):
    job_id = await submit(http)
    cancelled = await http.post(f"/jobs/{job_id}/cancel", headers=OURS)
    assert cancelled.headers["location"] == f"/jobs/{job_id}"
    assert (await http.get(f"/v1/jobs/{job_id}")).json()["status"] == "CANCELLED"
    assert "Cancelled before it ran" in (await http.get(f"/jobs/{job_id}")).text
    retried = await http.post(f"/jobs/{job_id}/retry", headers=OURS)
    assert retried.status_code == 303
    again = await http.post(f"/jobs/{job_id}/retry", headers=OURS)
    assert again.status_code == 409
    assert "only a finished job can be retried" in again.text
    assert "A new run was opened" in (await http.get(f"/jobs/{job_id}")).text


async def test_a_live_job_is_copied_too_and_keeps_its_unique_key(http):
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep", "unique_key": "one", "tags": ["a"]})).json()
    path = f"/jobs/{job['job_id']}"
    assert f'href="{path}/edit"' in (await http.get(path)).text
    asked = (await http.get(f"{path}/edit")).text
    assert "The copy has no unique key" in asked
    form = {"payload": '{"seconds": 2}', "queue": "other", "tags": "b"}
    done = await http.post(f"{path}/edit", data=form, headers=OURS)
    copy = (await http.get(f"/v1{done.headers['location']}")).json()
    assert copy["job_id"] != job["job_id"]
    assert (copy["payload"], copy["queue"], copy["tags"]) == ({"seconds": 2}, "other", ["b"])
    assert (copy["status"], copy["unique_key"]) == ("QUEUED", None)
    same = (await http.get(f"/v1{path}")).json()
    assert (same["status"], same["unique_key"], same["tags"]) == ("QUEUED", "one", ["a"])


async def test_an_edited_copy_is_submitted(http):
    job_id = await submit(http, tags=["a"], queue="q")
    await http.post(f"/v1/jobs/{job_id}/cancel")
    asked = (await http.get(f"/jobs/{job_id}/edit")).text
    assert "&#34;seconds&#34;: 0" in asked
    form = {"payload": '{"seconds": 1}', "queue": "r", "priority": "7", "max_retries": "1", "timeout_seconds": "9.5"}
    done = await http.post(f"/jobs/{job_id}/edit", data=form | {"tags": "b c"}, headers=OURS)
    copy = (await http.get("/v1" + done.headers["location"])).json()
    assert (copy["copy_of"], copy["payload"], copy["queue"], copy["priority"]) == (job_id, {"seconds": 1}, "r", 7)
    assert (copy["max_attempts"], copy["timeout_seconds"], copy["tags"]) == (2, 9.5, ["b", "c"])
    assert job_id[-12:] in (await http.get(done.headers["location"])).text


async def test_what_is_wrong_with_a_copy_is_said_beside_it(http):
    job_id = await submit(http)
    await http.post(f"/v1/jobs/{job_id}/cancel")
    for form, says in (
        ({"payload": '{"seconds": "soon"}'}, "payload.seconds:"),
        ({"payload": "{"}, "payload: "),
        ({"payload": "{}", "priority": "1000"}, "priority: "),
        ({"payload": "{}", "priority": "much"}, "priority: "),
    ):
        answer = await http.post(f"/jobs/{job_id}/edit", data=form, headers=OURS)
        assert answer.status_code == 422
        assert says in answer.text, form
        assert form["payload"].replace('"', "&#34;") in answer.text


async def test_files_are_given_out_and_run_by_no_browser(http):
    uploaded = (await http.post("/v1/files?name=a.html", content=b"<script>1</script>")).json()
    answer = await http.get(f"/files/{uploaded['file_id']}")
    assert answer.content == b"<script>1</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await http.get(f"/files/{uuid4()}")).status_code == 404


async def test_who_may_only_look_is_offered_nothing_else(http, platform):
    keys = ApiKeys(platform.database)
    made, admin = await keys.create("viewer", [Scope.READ]), await keys.create("admin", [Scope.ADMIN])
    http.headers["authorization"] = f"Bearer {admin.token}"
    job_id = await submit(http)
    looking = {"cookie": f"{SESSION_COOKIE}={made.token}"}
    page = await http.get(f"/jobs/{job_id}", headers=looking)
    assert page.status_code == 200
    assert "Cancel" not in page.text.partition('class="help"')[0].partition("<main")[2].partition("</main>")[0]
    assert "viewer" in page.text
    for path in ("cancel", "retry", "edit"):
        refused = await http.post(f"/jobs/{job_id}/{path}", headers=looking | OURS)
        assert refused.status_code == 403


async def test_a_job_that_is_not_there_says_so(http):
    answer = await http.get(f"/jobs/{uuid4()}")
    assert answer.status_code == 404
    assert "There is no job with this id" in answer.text
    assert (await http.get("/jobs/none")).status_code == 422


async def test_nothing_that_a_job_says_is_markup(http):
    hostile = "<script>alert(1)</script>"
    context = {"user_id": hostile, hostile: hostile}
    job_id = await submit(http, context=context, unique_key=hostile)
    page = (await http.get(f"/jobs/{job_id}")).text
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page
