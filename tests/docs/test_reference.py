"""docs/reference and the picture of states are what the code gives, and what the code gives is described."""

from enum import Enum

import pytest
from documentation import states
from documentation.markdown import GENERATED
from documentation.members import members_table
from documentation.reference import api, reference_pages
from fastapi import FastAPI
from tests.docs.code_blocks import ROOT

from perdure.models.lifecycle import TRANSITIONS, JobStatus, TimelineEvent


async def test_the_pages_are_what_the_code_gives(platform):
    pages = reference_pages(platform)
    kept = {path.name: path.read_text() for path in (ROOT / "docs/reference").glob("*.md")}
    made = {name: text for name, text in kept.items() if GENERATED in text}
    assert made.keys() == pages.keys()
    assert [name for name in pages if made[name] != pages[name]] == [], "run `make reference`"


def test_the_picture_of_states_is_what_the_code_gives():
    assert (ROOT / "docs/states.svg").read_text() == states.render(), "run `make reference`"


def test_a_move_without_a_line_in_the_picture_is_named(monkeypatch):
    snoozed = (JobStatus.RETRYING, JobStatus.SCHEDULED)
    monkeypatch.setattr(states, "TRANSITIONS", {**TRANSITIONS, snoozed: TimelineEvent.SNOOZED})
    with pytest.raises(LookupError, match="RETRYING -> SCHEDULED"):
        states.render()


class Colour(Enum):
    RED = "red"
    """As blood."""
    BLUE = "blue"


def test_a_member_that_nobody_described_is_named():
    with pytest.raises(LookupError, match="BLUE"):
        members_table(Colour, "colour")


def test_a_parameter_that_nobody_described_is_named():
    app = FastAPI()

    @app.get("/trees", summary="List trees")
    def trees(height: int) -> None: ...

    with pytest.raises(LookupError, match=r"GET /trees.*height"):
        api.render(app.openapi())
