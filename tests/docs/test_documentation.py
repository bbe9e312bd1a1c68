"""What the documentation says must be so: its paths exist, its settings are all of them, its states are the code's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.core.doctor.examination import CHECKS, PROVIDERS, SETTINGS
from perdure.models.lifecycle import BECOMES_DUE, TRANSITIONS
from perdure.processors.registry import ProcessorRegistry
from perdure.settings import Settings, variables

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_life_of_a_job_names_all_twelve_steps():
    text = (ROOT / "docs/life-of-a-job.md").read_text()
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(step) for step in range(1, 13)]


def test_the_diagram_of_states_is_the_table_of_states():
    text = (ROOT / "docs/life-of-a-job.md").read_text()
    drawn = set(re.findall(r"^ +([A-Z]+) --> ([A-Z]+): (\w+)", text, re.MULTILINE))
    moves = {(before.value, after.value, event.value) for (before, after), event in TRANSITIONS.items()}
    assert drawn == moves | {(status.value, "QUEUED", "due") for status in BECOMES_DUE}


def test_every_setting_is_documented_with_its_description():
    text = (ROOT / "docs/reference/settings.md").read_text()
    for name, field in Settings.model_fields.items():
        for variable in variables(name):
            assert f"`{variable}`" in text
        assert field.description is None or field.description in text


def test_every_check_of_the_doctor_is_documented_as_it_documents_itself():
    text = (ROOT / "docs/how-to/doctor.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    checks = {check.__name__: check.__doc__ for check in CHECKS}
    assert listed.keys() == checks.keys() | {SETTINGS, PROVIDERS}
    assert listed | checks == listed


def test_the_readmes_processor_is_one(tmp_path, monkeypatch):
    [source] = re.findall(r"```python\n(# my_jobs\.py\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "my_jobs.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert "report.build" in ProcessorRegistry.load(["my_jobs"]).job_types
    finally:
        sys.modules.pop("my_jobs", None)


def test_the_readmes_commands_exist():
    lines = re.findall(
        r"^(?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?perdure ([a-z -]+)", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert len(lines) > 5
    for line in {" ".join(word for word in line.split() if not word.startswith("-")) for line in lines}:
        words = line.split()[:2] if line.split()[0] in {"jobs", "deliveries", "db"} else line.split()[:1]
        done = subprocess.run([sys.executable, "-m", "perdure", *words, "--help"], capture_output=True, check=False)
        assert done.returncode == 0, line


def test_the_example_of_an_environment_names_only_settings_there_are():
    known = {variable for name in Settings.model_fields for variable in variables(name)}
    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) > 10
    assert set(named) <= known
