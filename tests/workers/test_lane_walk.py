"""The rule by which a worker looks for jobs under limits; no clock runs here."""

import asyncio
from math import inf

import pytest

from perdure.models.lane import BEFORE_ALL, MAX_LANES, Lane, LaneName
from perdure.workers.lane_walk import CONTENDED_SECONDS, LOOK_SECONDS, LaneWalk

FULL, OURS, THEIRS = (False, False), (True, True), (True, False)


def lanes(*states: tuple[bool, bool]) -> list[Lane]:
    return [Lane(LaneName("q", "t", f"{number:04}"), *state) for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("found", "due_after", "again"),
    [
        ([], LOOK_SECONDS, inf),
        ([FULL], LOOK_SECONDS, inf),
        ([FULL, OURS], 0.0, inf),
        ([OURS, THEIRS], 0.0, CONTENDED_SECONDS),
        ([FULL] * MAX_LANES, 0.0, 0.0),
    ],
)
def test_it_looks_again_when_that_may_find_something(found, due_after, again):
    walk = LaneWalk(asyncio.Event())
    assert walk.is_due(0.0), "a new worker looks"
    assert walk.note(lanes(*found), 10.0) == again
    assert walk.is_due(10.0 + due_after)
    assert not due_after or not walk.is_due(10.0 + due_after / 2)


def test_a_ring_asks_for_a_look():
    rung = asyncio.Event()
    walk = LaneWalk(rung)
    walk.note([], 10.0)
    rung.set()
    assert walk.is_due(10.0)
    walk.begin()
    assert not walk.is_due(10.0)


def test_a_look_that_was_cut_is_continued_and_the_one_after_its_end_begins_at_the_start():
    walk = LaneWalk(asyncio.Event())
    walk.note(lanes(*[FULL] * MAX_LANES), 0.0)
    assert walk.after == ("q", "t", f"{MAX_LANES - 1:04}")
    walk.note(lanes(FULL), 0.0)
    assert walk.after == BEFORE_ALL
