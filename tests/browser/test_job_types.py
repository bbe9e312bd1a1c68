"""Job types as people use them: read, and submitted by a form, with a file, to a worker that runs the job."""

import json
import re
from collections.abc import Iterator

import asyncpg
import pytest
from playwright.sync_api import expect
from tests.databases import run_aside
from tests.installation import installed

HOSTILE = '<script>alert("perdure")</script>'
SCHEMA = {
    "type": "object",
    "properties": {
        HOSTILE: {"type": "string", "description": HOSTILE, "default": HOSTILE},
        '" autofocus onfocus="alert(1)': {"enum": [HOSTILE, "<img src=x onerror=alert(1)>"]},
    },
    "required": [HOSTILE],
}


async def _publish(url: str, job_type: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO perdure.job_types (job_type, description, payload_schema, result_schema, max_retries, "
            "timeout_seconds, retry_base_seconds, retry_max_seconds, max_concurrent_per_key, published_at) "
            "VALUES ($1, $2, $3, '{}', 1, 60, 2, 300, 1, now())",
            job_type,
            HOSTILE,
            json.dumps(SCHEMA),
        )
    finally:
        await connection.close()


def test_they_can_be_read_by_everybody(looks, data):
    looks("/job-types", "job-types")
    looks("/job-types/media.transcode", "job-type")
    looks("/job-types/media.transcode/submit", "job-submit")


def test_hostile_types_show_as_text(page, data, embedded_url, check):
    run_aside(_publish(embedded_url, "hostile.type"))
    for path in ("/job-types", "/job-types/hostile.type", "/job-types/hostile.type/submit"):
        page.goto(path)
        expect(page.locator("main")).to_contain_text(HOSTILE)
        assert page.locator("main img, main script, main [autofocus]").count() == 0
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_text("must be given")).to_be_visible()
    check(page)


@pytest.fixture(scope="module")
def working_url(embedded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server and a worker."""
    with installed(embedded_url, tmp_path_factory.mktemp("working")) as made:
        made.work(PERDURE_RUN_NOTIFIER="false")
        yield made.serve(PERDURE_RUN_NOTIFIER="false").ready["url"]


def test_a_job_is_submitted_by_the_form_and_run(contexts, working_url, tmp_path, check):
    table = tmp_path / "numbers.csv"
    table.write_text("a,b\n" + "\n".join(f"{number},{number * number}" for number in range(20_000)))
    page = contexts(base_url=working_url).new_page()
    page.goto("/job-types")
    page.get_by_role("link", name="csv.profile", exact=True).click()
    page.get_by_role("link", name="Submit a job").click()
    page.get_by_role("button", name="Submit", exact=True).click()
    file = page.get_by_label(re.compile("^file"))
    expect(file).to_have_attribute("aria-invalid", "true")
    check(page)
    page.get_by_label("Choose a file for file").set_input_files(table)
    expect(page.get_by_text(re.compile("numbers.csv is stored, 2.. kB."))).to_be_visible()
    expect(file).to_have_value(re.compile(r"^[0-9a-f-]{36}$"))
    page.get_by_label("quantiles").fill("0.5\n0.9")
    page.get_by_text("Options").click()
    page.get_by_label("Tags").fill("by-hand")
    check(page)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}$"))
    expect(page.get_by_text("The job is submitted")).to_be_visible()
    expect(page.locator('main [data-state="SUCCEEDED"]').first).to_be_visible(timeout=30_000)
    expect(page.locator("main")).to_contain_text("by-hand")


def test_a_job_is_submitted_without_scripts(contexts, working_url):
    page = contexts(base_url=working_url, java_script_enabled=False).new_page()
    page.goto("/job-types/demo.sleep/submit")
    page.get_by_label("seconds", exact=True).fill("two")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.get_by_label("seconds", exact=True)).to_have_value("two")
    page.get_by_label("seconds", exact=True).fill("0.01")
    page.get_by_role("button", name="As JSON").click()
    expect(page.get_by_label("JSON", exact=True)).to_have_value(re.compile(r'"seconds": 0.01'))
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}$"))
