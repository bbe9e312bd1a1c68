"""Job types as people read them, and types by somebody who hopes that a page will run what it shows."""

import json

import asyncpg
from playwright.sync_api import expect
from tests.databases import run_aside

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
