"""Job types as pages, and jobs submitted by the form that is made from a type's JSON Schema."""

import json
import re
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.repositories.test_plans import sent

from perdure.core.api_keys import ApiKeys
from perdure.core.browsers import SESSION_COOKIE
from perdure.models.api_key import Scope
from perdure.repositories.worker_repository import WorkerRepository

OURS = {"sec-fetch-site": "same-origin"}
HOSTILE = '<script>alert("perdure")</script>'
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 2, "description": "what it is called"},
        "height": {"enum": [480, 720, "auto"], "default": 720},
        "ratio": {"type": "number", "exclusiveMinimum": 0},
        "copies": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "fast": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "parts": {"type": "array", "items": {"enum": ["a", "b", "c"]}},
        "file": {"type": "string", "format": "file-id"},
        "more": {"type": "object", "additionalProperties": {"type": "integer"}},
        "options": {
            "type": "object",
            "properties": {"level": {"type": "integer", "maximum": 9}, "mode": {"type": "string"}},
            "required": ["level"],
        },
    },
    "required": ["title"],
    "additionalProperties": False,
}
OF_FILES = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "file-id"},
        "others": {"type": "array", "items": {"type": "string", "format": "file-id"}},
        "note": {"type": "string", "maxLength": 9},
    },
}


async def execute(platform, statement):
    async with platform.database.transaction() as connection:
        return await connection.execute(text(statement))


async def publish(platform, job_type="video.make", schema=SCHEMA, description="Makes a video."):
    async with platform.database.transaction() as connection:
        await WorkerRepository(connection).publish(
            [
                {
                    "job_type": job_type,
                    "description": description,
                    "payload_schema": json.dumps(schema),
                    "result_schema": json.dumps({"type": "object"}),
                    "max_retries": 3,
                    "timeout_seconds": 60.0,
                    "retry_base_seconds": 2.0,
                    "retry_max_seconds": 300.0,
                    "max_concurrent": None,
                    "max_concurrent_per_key": 1,
                    "published_at": platform.database.clock.now(),
                }
            ]
        )


@pytest.fixture
async def submit(http, platform):
    await publish(platform)

    async def submit(**fields):
        return await http.post(
            "/job-types/video.make/submit", data={"key": str(uuid4()), "do": "submit"} | fields, headers=OURS
        )

    return submit


async def stored(http, answer):
    assert answer.status_code == 303, answer.text
    return (await http.get(f"/v1{answer.headers['location']}")).json()


def wrong(html, name):
    found = re.search(rf'id="wrong-{re.escape(name)}-1">([^<]*)</p>', html)
    return found and found[1]


async def test_types_are_listed_with_what_they_are(http, platform):
    await publish(platform)
    page = (await http.get("/job-types")).text
    assert "video.make" in page
    assert "Makes a video." in page
    page = (await http.get("/job-types/video.make")).text
    for said in (
        "what it is called",
        "no shorter than 2",
        "stored file",
        "list of integer",
        "at most 9",
        "required",
    ):
        assert said in page
    assert "No living worker can do it" in page
    assert (await http.get("/job-types/nobody.knows")).status_code == 404
    assert (await http.get("/job-types/nobody.knows/submit")).status_code == 404
    for none in ("%00", "%20", "a" * 101):
        assert (await http.get(f"/job-types/{none}")).status_code == 422
        assert (await http.get(f"/job-types/{none}/submit")).status_code == 422


async def test_a_job_is_submitted_as_the_form_says(http, submit):
    answer = await submit(
        **{
            "/title": "two\r\nlines",
            "/height": "720",
            "/ratio": " 1.5 ",
            "/copies": "",
            "/fast": "false",
            "/names": "one\r\n\r\n two \r\n",
            "/sizes": "1\n2",
            "/parts": ['"a"', '"c"'],
            "/more": '{"x": 1}',
            "/options/level": "3",
            "/options/mode": "",
            "queue": "media",
            "priority": "7",
            "delay_seconds": "60",
            "tags": "a, b c",
            "email": "me@example.com",
            "on": "FAILURE",
        }
    )
    job = await stored(http, answer)
    assert job["payload"] == {
        "title": "two\nlines",
        "height": 720,
        "ratio": 1.5,
        "fast": False,
        "names": ["one", " two "],
        "sizes": [1, 2],
        "parts": ["a", "c"],
        "more": {"x": 1},
        "options": {"level": 3},
    }
    assert (job["queue"], job["priority"], job["tags"], job["status"]) == ("media", 7, ["a", "b", "c"], "SCHEDULED")
    assert job["context"] == {"email": "me@example.com"}
    assert job["notifications"] == {"email": {"enabled": True, "on": ["FAILURE"]}}


async def test_what_is_left_out_is_not_sent(http, submit):
    job = await stored(http, await submit(**{"/title": "ab", "/options/level": "", "run_at": "2040-01-31T12:00"}))
    assert job["payload"] == {"title": "ab"}
    assert (job["context"], job["notifications"], job["run_at"]) == (None, None, "2040-01-31T12:00:00.000000Z")


@pytest.mark.parametrize(
    ("fields", "name", "says"),
    [
        ({}, "/title", "must be given"),
        ({"/title": "a"}, "/title", "shorter than 2 characters"),
        ({"/title": "ab", "/ratio": "1,5"}, "/ratio", "It is not JSON"),
        ({"/title": "ab", "/ratio": "true"}, "/ratio", "must be a number"),
        ({"/title": "ab", "/ratio": "0"}, "/ratio", "0"),
        ({"/title": "ab", "/ratio": "1e999"}, "/ratio", "too large for a double"),
        ({"/title": "ab", "/copies": "1.5"}, "/copies", "not valid"),
        ({"/title": "ab", "/height": "481"}, "/height", "is not one of"),
        ({"/title": "ab", "/height": HOSTILE}, "/height", "not JSON"),
        ({"/title": "ab", "/sizes": "1\nx"}, "/sizes", "not JSON"),
        ({"/title": "ab", "/more": "{"}, "/more", "not JSON"),
        ({"/title": "ab", "/more": '{"x": "y"}'}, "/more", "x: "),
        ({"/title": "ab", "/file": str(uuid4())}, "/file", "There is no file with this id"),
        ({"/title": "ab", "/options/mode": "x"}, "/options/level", "must be given"),
        ({"/title": "ab", "/options/level": "10"}, "/options/level", "greater than the maximum"),
        ({"/title": "ab", "queue": HOSTILE}, "queue", "should match"),
        ({"/title": "ab", "priority": "101"}, "priority", "less than or equal to 100"),
        ({"/title": "ab", "priority": "high"}, "priority", "valid integer"),
        ({"/title": "ab", "run_at": "soon"}, "run_at", "must be a time"),
        ({"/title": "ab", "tags": "a ~"}, "tags", "[1]"),
        ({"/title": "ab", "email": "nobody"}, "email", "bare e-mail address"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(http, submit, fields, name, says):
    answer = await submit(**fields)
    assert answer.status_code == 422
    assert says in (wrong(answer.text, name) or ""), answer.text
    assert "Nothing was submitted" in answer.text
    assert HOSTILE not in answer.text
    for field, value in fields.items():
        if field not in ("/height", "/sizes", "/more", "queue"):
            assert f'value="{value}"' in answer.text  # what was typed stays
    assert (await http.get("/v1/jobs")).json()["items"] == []


async def test_what_is_wrong_with_no_field_is_said_above(http, submit):
    answer = await submit(**{"/title": "ab", "run_at": "2040-01-31T12:00", "delay_seconds": "3"})
    assert answer.status_code == 422
    assert "give run_at or delay_seconds, not both" in answer.text
    assert "NUL character" in (await submit(**{"/title": "a\0b"})).text


async def test_a_payload_is_typed_as_json(http, submit):
    answer = await submit(**{"/title": "ab", "/copies": "2", "do": "json"})
    assert answer.status_code == 200
    assert 'name="as" value="json"' in answer.text
    assert "&#34;copies&#34;: 2" in answer.text
    for typed, says in (("{", "It is not JSON"), ('{"title": "a"}', "title: "), ('{"a": 1, "a": 2}', "stands twice")):
        answer = await submit(**{"as": "json", "payload": typed})
        assert answer.status_code == 422
        assert says in wrong(answer.text, "payload")
    job = await stored(http, await submit(**{"as": "json", "payload": '{"title": "ab", "options": {"level": 1}}'}))
    assert job["payload"] == {"title": "ab", "options": {"level": 1}}


async def test_a_schema_without_fields_is_typed_as_json(http, platform):
    await publish(platform, "any.thing", {"type": "array"})
    page = (await http.get("/job-types/any.thing/submit")).text
    assert 'name="payload"' in page
    assert "As a form" not in page
    answer = await http.post("/job-types/any.thing/submit", data={"payload": "[1]", "do": "submit"}, headers=OURS)
    assert (await stored(http, answer))["payload"] == [1]


async def test_a_form_that_is_sent_twice_is_one_job(http, submit):
    key = str(uuid4())
    first, again = [await submit(**{"/title": "ab", "key": key}) for _ in range(2)]
    assert first.headers["location"] == again.headers["location"]
    other = await submit(**{"/title": "other", "key": key})
    assert other.status_code == 422
    assert "A job was submitted from this form already" in other.text
    assert key not in other.text
    assert len((await http.get("/v1/jobs")).json()["items"]) == 1


async def test_a_file_is_stored_ahead_of_its_job(http, submit):
    answer = await http.post("/files?name=a.csv", content=b"a,b\n1,2\n", headers=OURS | {"content-type": "text/csv"})
    assert answer.status_code == 201
    file = answer.json()
    assert (file["name"], file["size_bytes"]) == ("a.csv", 8)
    assert (await http.get(f"/v1/files/{file['file_id']}")).content == b"a,b\n1,2\n"
    job = await stored(http, await submit(**{"/title": "ab", "/file": f" {file['file_id']} "}))
    assert job["payload"]["file"] == file["file_id"]
    assert (await http.post("/files?name=a/b", content=b"", headers=OURS)).status_code == 422


async def test_files_are_sent_with_the_form_without_scripts(http, platform):
    await publish(platform, "files.take", OF_FILES)
    path = "/job-types/files.take/submit"
    page = (await http.get(path)).text
    assert 'enctype="multipart/form-data"' in page
    assert 'type="file" name="chosen:/file"' in page
    fields = {"/file": (None, ""), "/note": (None, "straße")}
    sent_files = [
        ("chosen:/file", ("../a b.csv", b"a,b\r\n1,2\r\n--x\r\n", "text/csv; charset=utf-8")),
        ("chosen:/others", ("one.bin", bytes(range(256)) * 999, "nonsense")),
        ("chosen:/others", ("two.bin", b"", "")),
        ("chosen:/file", ("", b"", "application/octet-stream")),  # none was chosen
    ]
    answer = await http.post(path, files=[*fields.items(), *sent_files], headers=OURS)
    assert answer.status_code == 303, answer.text
    job = (await http.get("/v1" + answer.headers["location"])).json()
    assert job["payload"]["note"] == "straße"
    kept = [await http.get(f"/v1/files/{one}") for one in (job["payload"]["file"], *job["payload"]["others"])]
    assert [one.content for one in kept] == [one for _, (_, one, _) in sent_files[:3]]
    assert [one.headers["content-type"] for one in kept] == [
        "text/csv; charset=utf-8",
        *["application/octet-stream"] * 2,
    ]
    assert 'filename="upload"' in kept[0].headers["content-disposition"]
    assert 'filename="one.bin"' in kept[1].headers["content-disposition"]


async def test_a_file_that_was_sent_is_kept_where_something_else_is_wrong(http, platform):
    await publish(platform, "files.take", OF_FILES)
    named = str(uuid4())
    typed = [("/others", (None, named)), ("/note", (None, "x" * 50))]
    files = [("chosen:/file", ("a", b"a", "text/plain")), ("chosen:/others", ("b", b"b", "text/plain"))]
    answer = await http.post("/job-types/files.take/submit", files=[*typed, *files], headers=OURS)
    assert answer.status_code == 422
    [stored_id] = re.findall(r'<input class="mono" type="text"[^>]* value="([0-9a-f-]{36})"', answer.text)
    assert (await http.get(f"/v1/files/{stored_id}")).content == b"a"
    [others] = re.findall(r'name="/others"[^>]*>([^<]*)</textarea>', answer.text)
    assert others.split()[0] == named
    assert (await http.get(f"/v1/files/{others.split()[1]}")).content == b"b"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--b\r\n\r\n\r\n--b--\r\n",
        b'--b\r\ncontent-disposition: form-data; name="/note"\r\n\r\nnever ends',
        b'--b\r\ncontent-disposition: form-data; name="chosen:/file"; filename="a"\r\n\r\nnever ends',
        b'--b\r\ncontent-disposition: form-data; name="/note"\r\n\r\n\xff\r\n--b--\r\n',
        b'--b\r\ncontent-disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--\r\n',
        b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n",
        b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\nx\r\n' * 1_001 + b"--b--\r\n",
        b"--b\r\n" + b"x: y\r\n" * 10_000 + b"\r\n\r\n--b--\r\n",
    ],
)
@pytest.mark.parametrize("boundary", ["; boundary=b", "; boundary=" + "b" * 300, ""])
async def test_bodies_that_are_no_form_are_refused(http, platform, body, boundary):
    await publish(platform, "files.take", OF_FILES)
    headers = OURS | {"content-type": f"multipart/form-data{boundary}"}
    answer = await http.post("/job-types/files.take/submit", content=body, headers=headers)
    assert answer.status_code == 422
    assert "This is no form" in answer.text
    assert (await http.get("/v1/jobs")).json()["items"] == []
    assert (await execute(platform, "SELECT count(*) FROM perdure.files")).scalar_one() == 0


async def test_text_in_a_form_with_files_is_bounded_and_files_are_not(http, platform):
    await publish(platform, "files.take", OF_FILES)
    most = platform.settings.max_body_bytes
    path, file = "/job-types/files.take/submit", ("chosen:/file", ("a", b"a" * (most + 1), "text/plain"))
    answer = await http.post(path, files=[file], headers=OURS)
    assert answer.status_code == 303
    answer = await http.post(path, files=[("/note", (None, "x" * (most + 1))), file], headers=OURS)
    assert (answer.status_code, "more text" in answer.text) == (413, True)


async def test_hostile_types_are_text(http, platform):
    schema = {
        "type": "object",
        "properties": {
            HOSTILE: {"type": "string", "description": HOSTILE, "default": HOSTILE, "pattern": HOSTILE},
            '" onfocus="alert(1)': {"enum": [HOSTILE, '"><img src=x>'], "examples": [HOSTILE]},
            "list": {"type": "array", "items": {"enum": [HOSTILE]}},
            "group": {"type": "object", "title": HOSTILE, "properties": {HOSTILE: {"type": "string"}}},
        },
        "required": [HOSTILE],
        "examples": [{HOSTILE: HOSTILE}],
    }
    await publish(platform, "hostile", schema, HOSTILE)
    await publish(platform, f"hostile{HOSTILE}", schema, HOSTILE)
    for path in ("/job-types", "/job-types/hostile", "/job-types/hostile/submit"):
        page = (await http.get(path)).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert 'onfocus="alert' not in page
        assert "&lt;script&gt;" in page
    answer = await http.post("/job-types/hostile/submit", data={"key": HOSTILE, HOSTILE: HOSTILE}, headers=OURS)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text


async def test_who_may_only_read_is_offered_no_more(http, platform):
    await publish(platform)
    token = (await ApiKeys(platform.database).create("reader", [Scope.READ])).token
    reader = {"cookie": f"{SESSION_COOKIE}={token}"}
    for path in ("/job-types", "/job-types/video.make"):
        page = (await http.get(path, headers=reader)).text
        assert "/submit" not in page
    assert (await http.get("/job-types/video.make/submit", headers=reader)).status_code == 403
    answer = await http.post("/files", content=b"x", headers=reader | OURS)
    assert answer.status_code == 403


async def test_a_page_is_few_statements(http, platform):
    for number in range(5):
        await publish(platform, f"t{number}")
    for path, most in (("/job-types", 3), ("/job-types/t1", 4), ("/job-types/t1/submit", 1)):
        with sent(platform.database) as statements:
            assert (await http.get(path)).status_code == 200
        asked = [one for one, _ in statements if one.split()[0] in {"SELECT", "WITH"} and "api_keys" not in one]
        assert len(asked) <= most, asked
