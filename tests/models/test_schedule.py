"""What becomes of slots that are due, by the rules alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from perdure.models.schedule import CatchUp, Overlap, Schedule, SlotOutcome

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_schedule(**changes) -> Schedule:
    facts = {
        "name": "nightly",
        "expression": "* * * * *",
        "time_zone": "UTC",
        "job": {"job_type": "demo.sleep"},
        "catch_up": CatchUp.LATEST,
        "overlap": Overlap.ALLOW,
        "paused": False,
        "created_at": NOW,
        "updated_at": NOW,
        "settled_until": NOW,
    }
    return Schedule(**facts | changes)


@given(st.sampled_from(CatchUp), st.sampled_from(Overlap), st.integers(0, 5), st.integers(0, 119), st.booleans())
def test_each_slot_comes_to_one_thing_by_both_rules(catch_up, overlap, count, late_seconds, busy):
    latest = NOW - timedelta(seconds=late_seconds)
    due = [latest - MINUTE * back for back in reversed(range(count))]
    outcomes = a_schedule(catch_up=catch_up, overlap=overlap).deal(due, NOW, busy=busy)
    assert list(outcomes) == due
    wanted = {
        CatchUp.SKIP: due[-1:] if late_seconds < 60 else [],
        CatchUp.LATEST: due[-1:],
        CatchUp.ALL: due,
    }[catch_up]
    assert [at for at, outcome in outcomes.items() if outcome is not SlotOutcome.MISSED] == wanted
    given_jobs = [at for at, outcome in outcomes.items() if outcome is SlotOutcome.SUBMITTED]
    if overlap is Overlap.SKIP:
        assert given_jobs == ([] if busy else wanted[:1])
    else:
        assert given_jobs == wanted


def test_a_schedule_that_is_set_again_owes_what_it_owed_unless_its_times_are_others():
    before = a_schedule(created_at=NOW - MINUTE * 9, settled_until=NOW - MINUTE * 5)
    assert a_schedule(overlap=Overlap.SKIP).replacing(before).settled_until == before.settled_until
    for changes in ({"expression": "@daily"}, {"time_zone": "Europe/Berlin"}):
        after = replace(a_schedule(), **changes).replacing(before)
        assert (after.settled_until, after.created_at) == (NOW, before.created_at)
