"""What the documentation says must be so: its paths exist, its states are the code's, the tests it names are there."""

import re
from dataclasses import fields

import pytest
from tests.docs.code_blocks import PAGES, ROOT

from perdure.core.doctor.examination import CHECKS, PROVIDERS, SETTINGS
from perdure.core.notifications.facts import JobFacts
from perdure.settings import Settings, variables


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_life_of_a_job_names_all_twelve_steps():
    text = (ROOT / "docs/life-of-a-job.md").read_text()
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(step) for step in range(1, 13)]


def test_every_value_of_a_template_is_documented():
    text = (ROOT / "docs/notifications/templates.md").read_text()
    assert set(re.findall(r"`job\.(\w+)`", text)) == {field.name for field in fields(JobFacts)}


def test_every_check_of_the_doctor_is_documented_as_it_documents_itself():
    text = (ROOT / "docs/how-to/doctor.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    checks = {check.__name__: check.__doc__ for check in CHECKS}
    assert listed.keys() == checks.keys() | {SETTINGS, PROVIDERS}
    assert listed | checks == listed


def test_the_example_of_an_environment_names_only_settings_there_are():
    known = {variable for name in Settings.model_fields for variable in variables(name)}
    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) > 10
    assert set(named) <= known


def test_the_tests_that_keep_the_guarantees_are_there():
    text = (ROOT / "docs/guarantees.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", text))
    files = {ROOT / "docs" / link for link in re.findall(r"\]\((\.\./tests/[^)]+)\)", text)}
    assert len(named) > 10
    assert named <= {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
