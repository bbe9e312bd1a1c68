"""The notifier gives way to a flood of jobs, and to nothing else."""

from perdure.signals import Signals, StepsRecorded
from perdure.workers.jobs_first import TURN_SECONDS, JobsFirst

BEGAN = 1_000.0
SLOTS = 100


def after(*commits: int, backlog: bool = True) -> JobsFirst:
    """Whose turn was at ``BEGAN``, after commits of so many jobs each."""
    signals = Signals()
    jobs_first = JobsFirst(signals)
    jobs_first.slots, jobs_first.has_backlog = SLOTS, lambda: backlog
    assert jobs_first.seconds_until_turn(BEGAN) == 0.0
    for count in commits:
        signals.emit(StepsRecorded("default", "t", "SUCCESS", count, []))
    return jobs_first


def test_a_flood_comes_first_until_its_turn():
    jobs_first = after(*[SLOTS] * 9)
    assert jobs_first.seconds_until_turn(BEGAN) == TURN_SECONDS
    assert 0.0 < jobs_first.seconds_until_turn(BEGAN + TURN_SECONDS / 2) < TURN_SECONDS
    assert jobs_first.seconds_until_turn(BEGAN + TURN_SECONDS) == 0.0
    assert jobs_first.seconds_until_turn(BEGAN + TURN_SECONDS) == TURN_SECONDS


def test_a_flood_that_has_ebbed_is_none():
    assert after(*[SLOTS] * 9, *[1] * 9).seconds_until_turn(BEGAN) == 0.0


def test_jobs_that_end_one_by_one_are_no_flood():
    assert after(*[1] * 1_000).seconds_until_turn(BEGAN) == 0.0


def test_jobs_that_nobody_waits_behind_are_no_flood():
    assert after(*[SLOTS] * 9, backlog=False).seconds_until_turn(BEGAN) == 0.0
