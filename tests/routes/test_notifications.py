"""A message is looked at before anybody is told: of a sample job, a real one, or a delivery."""

import pytest

from perdure.bootstrap import opened_platform

PREVIEW = "/v1/notifications/preview"
NOBODY = "01980000-0000-7000-8000-000000000000"


@pytest.fixture
async def platform(settings, signals, database, tmp_path):
    """Like the ordinary one, with a template of the operator's and a public URL."""
    (tmp_path / "demo.sleep").mkdir()
    (tmp_path / "demo.sleep" / "job_cancelled.subject.txt").write_text("Up early: {{ job.user_id }}")
    changed = {"templates_dir": tmp_path, "public_url": "https://jobs.example.com"}
    async with opened_platform(settings.model_copy(update=changed), signals=signals) as platform:
        yield platform


async def previewed(http, **wanted):
    answer = await http.get(PREVIEW, params=wanted)
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_sample_is_one_of_success_unless_another_event_is_named(http):
    success, failure = (await previewed(http)).json(), (await previewed(http, event="FAILURE", job_type="a.b")).json()
    assert (success["event"], success["job_type"], success["subject"]) == (
        "SUCCESS",
        "report.build",
        "✓ report.build succeeded",
    )
    assert "✗ FAILED: a.b" in failure["text"]
    assert "https://jobs.example.com/jobs/" in failure["html"]
    assert failure["templates"]["html"] == "perdure/job_failure.html"


async def test_each_part_is_answered_as_it_is(http):
    whole = (await previewed(http, event="CANCELLED")).json()
    for part, media_type in (("subject", "text/plain"), ("text", "text/plain"), ("html", "text/html")):
        answer = await previewed(http, event="CANCELLED", format=part)
        assert answer.text == whole[part]
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


async def test_a_real_job_and_its_delivery_are_told_as_they_are(http):
    told = {
        "context": {"email": "ada@example.com", "user_id": "ada"},
        "notifications": {"email": {"on": ["CANCELLED"]}},
    }
    job = (await http.post("/v1/jobs", json={"job_type": "demo.sleep"} | told)).json()
    waiting = await http.get(PREVIEW, params={"job_id": job["job_id"]})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "conflict")
    assert (await previewed(http, job_id=job["job_id"], event="FAILURE")).json()["event"] == "FAILURE"
    await http.post(f"/v1/jobs/{job['job_id']}/cancel")
    [delivery] = (await http.get(f"/v1/jobs/{job['job_id']}/deliveries")).json()["items"]
    of_job = (await previewed(http, job_id=job["job_id"])).json()
    assert of_job["subject"] == "Up early: ada"
    assert (await previewed(http, delivery_id=delivery["delivery_id"])).json() == of_job


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"event": "RETRY"}, 422, "event"),
        ({"format": "pdf"}, 422, "format"),
        ({"job_type": ""}, 422, "job_type"),
        ({"job_type": "x" * 201}, 422, "job_type"),
        ({"job_id": NOBODY, "job_type": "x"}, 422, "job_type"),
        ({"delivery_id": NOBODY, "event": "SUCCESS"}, 422, "event"),
        ({"to": "ada@example.com"}, 422, "to"),
        ({"job_id": NOBODY}, 404, None),
        ({"delivery_id": NOBODY}, 404, None),
    ],
)
async def test_what_cannot_be_shown_is_refused(http, wanted, status, field):
    answer = await http.get(PREVIEW, params=wanted)
    assert answer.status_code == status
    assert [one["field"] for one in answer.json().get("errors", [])] == ([field] if field else [])
