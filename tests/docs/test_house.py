"""Rules of the house that no linter knows."""

import re
from pathlib import Path

SOURCES = sorted((Path(__file__).parents[2] / "src" / "perdure").rglob("*.py"))


def test_there_is_one_commit_in_the_house():
    found = [path.name for path in SOURCES if ".commit(" in path.read_text()]
    assert found == ["session.py"]


def test_every_statement_names_the_schema():
    """Never by search_path: a user's own database can be shared."""
    tables = (
        "api_keys|jobs|job_actions|job_events|job_files|job_log_lines|deliveries|delivery_attempts|workers|job_types|files|"
        "delivery_feedback|suppressions|file_store|file_removals|job_tags|job_tallies|job_history|idempotency_keys|"
        "circuits|inbox_messages|queues|schedules|schedule_slots|schema_version|subscriptions|webhook_endpoints"
    )
    bare = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|ON)\s+({tables})\b")
    found = [(path.name, match[0]) for path in SOURCES for match in bare.finditer(path.read_text())]
    assert found == []


def test_modules_stay_small():
    long = {path.name: lines for path in SOURCES if (lines := path.read_text().count("\n")) > 300}
    assert long == {}


def test_only_bootstrap_and_what_is_above_it_or_its_foundation_read_the_settings():
    allowed = {
        "bootstrap.py",
        "foundation.py",
        "provided.py",
        "app.py",
        "run.py",
        "database.py",
        "keys.py",
        "doctor.py",
        "settings.py",
    }
    found = {path.name for path in SOURCES if "perdure.settings import" in path.read_text()}
    assert found <= allowed
