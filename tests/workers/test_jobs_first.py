"""The notifier gives way to a flood of jobs, and to nothing else."""

from perdure.signals import Signals, StepsRecorded
from perdure.workers.jobs_first import FLOOD_RATE, LONGEST_SECONDS, JobsFirst

BEGAN = 1_000.0


def giving_way(done: int, *, backlog: bool = True) -> JobsFirst:
    """One whose turn was at ``BEGAN``, and so many jobs since."""
    signals = Signals()
    jobs_first = JobsFirst(signals)
    jobs_first.has_backlog = lambda: backlog
    assert jobs_first.seconds_until_turn(BEGAN) == 0.0
    signals.emit(StepsRecorded("default", "t", "SUCCESS", done, []))
    return jobs_first


def test_a_flood_comes_first_until_its_turn():
    jobs_first = giving_way(10 * int(FLOOD_RATE))
    assert jobs_first.seconds_until_turn(BEGAN) == LONGEST_SECONDS
    assert 0.0 < jobs_first.seconds_until_turn(BEGAN + LONGEST_SECONDS / 2) < LONGEST_SECONDS
    assert jobs_first.seconds_until_turn(BEGAN + LONGEST_SECONDS) == 0.0


def test_what_was_done_before_a_turn_counts_no_more():
    jobs_first = giving_way(10 * int(FLOOD_RATE))
    assert jobs_first.seconds_until_turn(BEGAN + LONGEST_SECONDS) == 0.0
    assert jobs_first.seconds_until_turn(BEGAN + LONGEST_SECONDS) == 0.0


def test_few_jobs_are_no_flood():
    assert giving_way(int(FLOOD_RATE) // 100).seconds_until_turn(BEGAN + 0.02) == 0.0


def test_jobs_that_nobody_waits_behind_are_no_flood():
    assert giving_way(10 * int(FLOOD_RATE), backlog=False).seconds_until_turn(BEGAN) == 0.0
