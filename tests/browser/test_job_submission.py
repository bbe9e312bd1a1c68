"""Jobs submitted by the form of their type, with a file, and run by a worker."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.installation import installed


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


def test_a_file_is_sent_with_the_form_without_scripts(contexts, working_url, tmp_path):
    table = tmp_path / "numbers.csv"
    table.write_text("a,b\n1,2\n")
    page = contexts(base_url=working_url, java_script_enabled=False).new_page()
    page.goto("/job-types/csv.profile/submit")
    page.get_by_label("Choose a file for file").set_input_files(table)
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page).to_have_url(re.compile(r"/jobs/[0-9a-f-]{36}$"))
    expect(page.get_by_role("link", name="numbers.csv")).to_be_visible()


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
