"""The rule by which claims begin at the start or at a mark; no clock runs here."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from perdure.models.place import START, Place
from perdure.workers import watermark as module
from perdure.workers.watermark import LONGEST_PAUSE_SECONDS, SHARE, Watermark

QUICK, PINNED = 0.002, 0.034


def place(number: int, rank: int = 0) -> Place:
    return Place(rank, datetime(2026, 1, 1, tzinfo=UTC), UUID(int=number))


def made(*, start: float = PINNED, continuation: float = QUICK) -> Watermark:
    """One that knows, at second 1, what looks from the start and from marks cost."""
    watermark = Watermark()
    watermark.note_continuation(0.0, continuation)
    watermark.note_start(1.0 - start, 1.0)
    return watermark


def test_places_ascend_in_the_order_of_claims():
    later = place(1)._replace(run_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert sorted([later, place(2), place(1), place(9, rank=-5), START]) == [
        START,
        place(9, rank=-5),
        place(1),
        place(2),
        later,
    ]


def test_a_new_worker_begins_at_the_start():
    assert Watermark().marks(0.0) is None


def test_looks_from_the_start_that_cost_nothing_more_are_always_due():
    watermark = made(start=QUICK)
    assert watermark.marks(1.0) is None
    watermark.note_start(1.0, 1.0 + 50 * QUICK)
    assert watermark.marks(1.0 + 50 * QUICK) is None, "one slow look is the machine's, not the index's"


@pytest.mark.parametrize(("extra", "pause"), [(0.01, 0.01 * SHARE), (9.0, LONGEST_PAUSE_SECONDS)])
def test_what_looks_from_the_start_cost_beyond_the_others_is_waited_for(extra, pause):
    watermark = made(start=QUICK + extra)
    assert watermark.seconds_until_start(1.0) == pytest.approx(pause)
    assert watermark.marks(1.0 + 0.99 * pause) is not None
    watermark.note_continuation(1.0, 1.5)  # puts nothing off
    assert watermark.marks(1.0 + 1.01 * pause) is None
    assert watermark.seconds_until_start(1.0 + 2 * pause) == 0.0


def test_while_the_horizon_is_pinned_looks_from_the_start_take_a_twentieth_of_the_time():
    watermark, now, spent = Watermark(), 0.0, 0.0
    while now < 60.0:
        if watermark.marks(now) is None:
            watermark.note_start(now, now := now + PINNED)
            spent += PINNED
        else:
            watermark.note_continuation(now, now := now + QUICK)
    assert 0.9 / SHARE < spent / now < 1.1 / SHARE


def marks_after(*claims: tuple[int, bool]) -> int:
    """The mark, once these places were claimed."""
    watermark = made()
    for number, is_full in claims:
        watermark.note_claim("a", place(number), is_full=is_full)
    marks = watermark.marks(1.0)
    assert marks is not None
    return marks["a"].job_id.int


def test_a_mark_goes_back_only_to_what_may_have_left_more_behind():
    assert marks_after((5, True), (9, True)) == 9
    assert marks_after((9, True), (5, False)) == 9, "everything before 9 was looked at"
    assert marks_after((9, True), (5, True)) == 5, "as many as were asked for: the next may be 6"


def test_only_the_queues_last_claimed_from_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "MAX_QUEUES", 2)
    watermark = made()
    for queue in ("a", "b", "a", "c"):
        watermark.note_claim(queue, place(1), is_full=True)
    marks = watermark.marks(1.0)
    assert marks is not None
    assert sorted(marks) == ["a", "c"]
