"""Schedules as pages: told in words, checked, set, and deleted, as strictly as by the API."""

import pytest
from sqlalchemy import text
from tests.repositories.test_plans import sent

OURS = {"sec-fetch-site": "same-origin"}
HOSTILE = '<script>alert("perdure")</script>'
FORM = {
    "new": "yes",
    "name": "nightly",
    "expression": "30 2 * * MON-FRI",
    "time_zone": "Europe/Berlin",
    "job": '{"job_type": "demo.sleep", "payload": {"seconds": 1}, "context": {"user_id": null}}',
    "catch_up": "latest",
    "overlap": "skip",
    "do": "set",
}


async def put(http, **changes):
    return await http.post("/schedules", data=FORM | changes, headers=OURS)


async def test_none_is_told_how_to_be_made(http):
    assert "perdure schedules set nightly" in (await http.get("/schedules")).text
    assert (await http.get("/schedules/nightly")).status_code == 404


async def test_one_is_set_as_by_the_api(http):
    answer = await put(http)
    assert (answer.status_code, answer.headers["location"]) == (303, "/schedules/nightly")
    stored = (await http.get("/v1/schedules/nightly")).json()
    assert stored["job"] == {"job_type": "demo.sleep", "payload": {"seconds": 1}, "context": {"user_id": None}}
    assert (stored["overlap"], stored["paused"]) == ("skip", False)
    for path in ("/schedules", "/schedules/nightly"):
        page = (await http.get(path)).text
        assert "At 02:30 on Monday through Friday" in page
        assert "Europe/Berlin" in page
    assert ", 02:30 C" in (await http.get("/schedules/nightly")).text  # on clocks in Berlin
    edit = (await http.get("/schedules/nightly/edit")).text
    assert "30 2 * * MON-FRI" in edit
    paused = await http.post(
        "/schedules", data={name: FORM[name] for name in FORM if name != "new"} | {"paused": "yes"}, headers=OURS
    )
    assert paused.status_code == 303
    assert (await http.get("/v1/schedules/nightly")).json()["paused"]
    assert "It is paused" in (await http.get("/schedules/nightly")).text


async def test_a_new_one_does_not_take_the_place_of_another(http):
    await put(http)
    answer = await put(http, expression="@daily")
    assert answer.status_code == 422
    assert "is that of another schedule" in answer.text
    assert (await http.get("/v1/schedules/nightly")).json()["expression"] == "30 2 * * MON-FRI"


async def test_to_check_stores_nothing(http):
    answer = await put(http, do="check")
    assert answer.status_code == 200
    assert "At 02:30 on Monday through Friday" in answer.text
    assert "Nothing is stored yet" in answer.text
    assert (await http.get("/v1/schedules")).json()["items"] == []


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": HOSTILE}, "name", "must begin with a letter"),
        ({"name": ""}, "name", "must begin with a letter"),
        ({"expression": "every day"}, "expression", "is no cron expression"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "is no time zone"),
        ({"job": "{"}, "job", "is not JSON"),
        ({"job": '{"job_type": "demo.sleep", "run_at": "2030-01-01T00:00:00Z"}'}, "job", "run_at"),
        ({"job": '{"job_type": "demo.sleep", "payload": {"seconds": "x"}}'}, "job", "payload.seconds"),
        ({"job": '{"job_type": "nobody.knows"}'}, "job", "No worker has published"),
        ({"job": "[]"}, "job", "nput should be"),
        ({"catch_up": HOSTILE}, "catch_up", "nput should be"),
        ({"overlap": ""}, "overlap", "nput should be"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(http, changes, field, says):
    for deed in ("set", "check"):
        answer = await put(http, **changes, do=deed)
        assert answer.status_code == 422
        wrong = answer.text.partition(f'id="{field}-wrong-1">')[2].partition("</p>")[0]
        assert says in wrong, wrong
        assert HOSTILE not in answer.text
    assert (await http.get("/v1/schedules")).json()["items"] == []


async def test_one_is_paused_and_resumed_as_it_is(http, platform):
    await put(http)
    before = (await http.get("/v1/schedules/nightly")).json()
    assert 'action="/schedules/nightly/pause"' in (await http.get("/schedules")).text
    paused = await http.post("/schedules/nightly/pause", data={"back": "/schedules"}, headers=OURS)
    assert (paused.status_code, paused.headers["location"]) == (303, "/schedules")
    assert (await http.get("/v1/schedules/nightly")).json()["next_run_at"] is None
    for path in ("/schedules", "/schedules/nightly"):
        page = (await http.get(path)).text
        assert 'action="/schedules/nightly/resume"' in page
        assert 'action="/schedules/nightly/pause"' not in page
    await http.post("/schedules/nightly/pause", data={"back": ""}, headers=OURS)
    resumed = await http.post("/schedules/nightly/resume", data={"back": "//evil.example"}, headers=OURS)
    assert resumed.headers["location"] == "/"
    after = (await http.get("/v1/schedules/nightly")).json()
    assert after | {"updated_at": None} == before | {"updated_at": None}
    async with platform.database.transaction() as connection:  # its job is wrong by now, which keeps nobody from it
        await connection.execute(text("UPDATE perdure.schedules SET job = '{}'"))
    await http.post("/schedules/nightly/pause", data={"back": ""}, headers=OURS)
    assert (await http.get("/v1/schedules/nightly")).json()["paused"]
    for deed in ("pause", "resume"):
        none = await http.post(f"/schedules/none/{deed}", data={"back": ""}, headers=OURS)
        assert none.status_code == 404


async def test_one_is_deleted(http):
    await put(http)
    page = (await http.get("/schedules/nightly")).text
    assert 'action="/schedules/nightly/delete"' in page
    answer = await http.post("/schedules/nightly/delete", data={}, headers=OURS)
    assert answer.headers["location"] == "/schedules"
    assert (await http.get("/v1/schedules/nightly")).status_code == 404
    assert (await http.post("/schedules/nightly/delete", data={}, headers=OURS)).status_code == 404


async def test_a_page_is_few_statements(http, platform):
    for number in range(5):
        await put(http, name=f"s{number}")
    for path, most in (("/schedules", 2), ("/schedules/s1", 2), ("/schedules/s1/edit", 3)):
        with sent(platform.database) as statements:
            assert (await http.get(path)).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= most, asked
