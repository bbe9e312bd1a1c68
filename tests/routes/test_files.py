"""Files over HTTP: in and out, digests, ranges, deletion, and the jobs that name them."""

import asyncio
import base64
import hashlib
from uuid import uuid4

import pytest
from pydantic import BaseModel
from tests.routes.conftest import publish

from perdure.processors.base import FileId, processor

BODY = bytes(range(256)) * 10


class Merge(BaseModel):
    """Files in every place that a payload may have them."""

    first: FileId | None = None
    others: list[FileId] = []
    note: str = ""


@processor("test.merge")
def merge(payload: Merge) -> None:
    """Never run here."""


def digest(body):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


async def uploaded(http, body=BODY, **options):
    answer = await http.post("/v1/files", content=body, **options)
    assert answer.status_code == 201, answer.text
    return answer.json()["file_id"]


async def submitted(http, platform, payload):
    await publish(platform, merge)
    return await http.post("/v1/jobs", json={"job_type": "test.merge", "payload": payload})


def bytes_of(platform):
    return {path.name for path in platform.files._root.glob("*/*")}


async def test_a_file_comes_back_as_it_went(http):
    body = bytes(range(256)) * 1000
    answer = await http.post("/v1/files", params={"name": "ünï.bin"}, content=body)
    assert answer.status_code == 201
    stored = answer.json()
    assert (stored["name"], stored["size_bytes"]) == ("ünï.bin", len(body))
    read = await http.get(answer.headers["location"])
    assert read.content == body
    assert "attachment" in read.headers["content-disposition"]
    assert read.headers["x-content-type-options"] == "nosniff"
    part = await http.get(answer.headers["location"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, body[10:20])


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "a\x00b", "a\nb", "x" * 256])
async def test_names_that_are_no_names_are_refused(http, name):
    answer = await http.post("/v1/files", params={"name": name}, content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_content_types_are_kept_only_when_they_are_ones(http):
    for sent, kept in [("text/csv; charset=utf-8", "text/csv"), ("<script>", "application/octet-stream")]:
        answer = await http.post("/v1/files", content=b"x", headers={"content-type": sent})
        assert answer.json()["content_type"] == kept


async def test_a_missing_file_is_a_404(http):
    assert (await http.get(f"/v1/files/{uuid4()}")).status_code == 404


async def test_a_download_says_what_it_is_and_needs_no_second_one(http):
    file_id = await uploaded(http, headers={"content-type": "text/csv"})
    whole = await http.get(f"/v1/files/{file_id}")
    assert whole.headers["repr-digest"] == digest(BODY)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-type"].startswith("text/csv")
    tag = whole.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = await http.get(f"/v1/files/{file_id}", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await http.get(f"/v1/files/{file_id}", headers={"if-none-match": '"other"'})).status_code == 200
    head = await http.head(f"/v1/files/{file_id}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(BODY)))
    assert head.headers["repr-digest"] == digest(BODY)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=10-19", 10, 20),
        ("bytes=2550-", 2550, 2560),
        ("bytes=-5", 2555, 2560),
        ("bytes=2550-9999", 2550, 2560),
        ("lines=1-2", None, None),
        ("bytes=9-3", None, None),
        ("nonsense", None, None),
    ],
)
async def test_a_part_is_answered_and_what_is_no_range_is_passed_over(http, wanted, start, end):
    answer = await http.get(f"/v1/files/{await uploaded(http)}", headers={"range": wanted})
    assert (answer.status_code, answer.content) == (200 if start is None else 206, BODY[start:end])
    assert answer.headers.get("content-range") == (None if start is None else f"bytes {start}-{end - 1}/2560")


async def test_several_parts_come_as_several(http):
    answer = await http.get(f"/v1/files/{await uploaded(http)}", headers={"range": "bytes=0-1,10-11"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")


async def test_a_part_beyond_the_end_is_a_problem_that_tells_the_length(http):
    answer = await http.get(f"/v1/files/{await uploaded(http, b'abc')}", headers={"range": "bytes=3-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */3"


async def test_a_part_of_another_version_is_not_taken_for_one_of_this(http):
    file_id = await uploaded(http)
    tag = (await http.head(f"/v1/files/{file_id}")).headers["etag"]
    for validator, status in [(tag, 206), ('"other"', 200)]:
        headers = {"range": "bytes=0-0", "if-range": validator}
        assert (await http.get(f"/v1/files/{file_id}", headers=headers)).status_code == status


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
async def test_an_upload_is_compared_with_its_digest(http, platform, field):
    kept = await uploaded(http, headers={field: f"md5=:AAAA:, {digest(BODY)}"})
    answer = await http.post("/v1/files", content=b"other", headers={field: digest(BODY)})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    await platform.file_commands.sweep()
    assert bytes_of(platform) == {kept}
    malformed = await http.post("/v1/files", content=BODY, headers={field: "sha-256=:AAAA:"})
    assert malformed.json()["errors"][0]["code"] == "malformed_digest"


async def test_a_deleted_file_is_gone_with_its_bytes(http, platform):
    file_id = await uploaded(http)
    assert (await http.delete(f"/v1/files/{file_id}")).status_code == 204
    assert (await http.get(f"/v1/files/{file_id}")).status_code == 404
    assert (await http.delete(f"/v1/files/{file_id}")).status_code == 404
    await platform.file_commands.sweep()
    assert bytes_of(platform) == set()


async def test_a_file_that_a_job_waits_for_is_not_deleted(http, platform):
    file_id = await uploaded(http)
    job = (await submitted(http, platform, {"others": [file_id]})).json()["job_id"]
    refused = await http.delete(f"/v1/files/{file_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await http.post(f"/v1/jobs/{job}/cancel")
    assert (await http.delete(f"/v1/files/{file_id}")).status_code == 204
    assert (await http.get(f"/v1/jobs/{job}/files")).json()["items"] == []


async def test_whoever_names_and_whoever_deletes_a_file_do_not_miss_each_other(http, platform):
    for _ in range(10):
        file_id = await uploaded(http)
        job, deleted = await asyncio.gather(
            submitted(http, platform, {"first": file_id}), http.delete(f"/v1/files/{file_id}")
        )
        assert (job.status_code, deleted.status_code) in {(201, 409), (422, 204)}


async def test_a_jobs_files_are_those_that_its_payload_names_anywhere(http, platform):
    first, second = await uploaded(http, params={"name": "one"}), await uploaded(http, params={"name": "two"})
    job = await submitted(http, platform, {"first": first, "others": [second, second], "note": str(uuid4())})
    found = (await http.get(f"/v1/jobs/{job.json()['job_id']}/files")).json()
    assert [(one["file_id"], one["name"], one["role"]) for one in found["items"]] == [
        (first, "one", "input"),
        (second, "two", "input"),
    ]
    assert found["next_cursor"] is None
    assert (await http.get(f"/v1/jobs/{uuid4()}/files")).status_code == 404


@pytest.mark.parametrize("place", ["first", "others"])
@pytest.mark.parametrize("named", ["01980000-0000-7000-8000-000000000000", "no id at all"])
async def test_a_file_that_is_not_there_is_refused_by_its_field(http, platform, place, named):
    answer = await submitted(http, platform, {place: named if place == "first" else [named]})
    [problem] = answer.json()["errors"]
    assert (answer.status_code, problem["code"]) == (422, "no_such_file")
    assert problem["field"] == ("payload.first" if place == "first" else "payload.others[0]")
    assert "POST /v1/files" in problem["message"]
    assert named not in answer.text


async def test_a_server_with_another_folder_takes_and_gives_no_bytes(http, platform):
    file_id = await uploaded(http)
    mark = platform.files._root / "store-id"
    store_id = mark.read_text()
    mark.unlink()
    for answer in (await http.post("/v1/files", content=b"x"), await http.get(f"/v1/files/{file_id}")):
        assert (answer.status_code, answer.json()["code"]) == (503, "file_store_elsewhere")
        assert store_id.strip() in answer.json()["detail"]
    assert (await http.get(f"/v1/files/{uuid4()}")).status_code == 404, "no folder would have it"
    mark.write_text(store_id)
    assert (await http.get(f"/v1/files/{file_id}")).content == BODY
