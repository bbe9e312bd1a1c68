"""No event is skipped and none told twice, in whatever order transactions end and however the looks fall."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from perdure.models import event_tail
from perdure.models.event_tail import EventTail, Gap

LIMIT = 3


class Tailing(RuleBasedStateMachine):
    """A log whose transactions are given ids as they write, and show them when they commit."""

    def __init__(self):
        super().__init__()
        self.tail = EventTail(0)
        self.next_id = 1
        self.open: dict[str, list[int]] = {}
        self.names = 0
        self.visible: list[int] = []
        self.told: list[int] = []

    @rule()
    def begin(self):
        self.names += 1
        self.open[f"t{self.names}"] = []

    @rule(data=st.data(), many=st.integers(1, 4))
    def write(self, data, many):
        if self.open:
            name = data.draw(st.sampled_from(sorted(self.open)))
            self.open[name] += range(self.next_id, self.next_id + many)
            self.next_id += many

    @rule(data=st.data(), commits=st.booleans())
    def end(self, data, commits):
        if self.open:
            ids = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
            self.visible += ids if commits else []

    @rule()
    def note_writers(self):
        """What may happen between this and the reading is up to the other rules."""
        self.tail.note_writers(frozenset(self.open))

    @rule(limit=st.sampled_from([LIMIT, 1_000]))
    def look(self, limit):
        stretches = [(gap.first, gap.last) for gap in self.tail.gaps] + [(self.tail.position + 1, self.next_id)]
        found = [
            one
            for first, last in stretches
            for one in [one for one in sorted(self.visible) if first <= one <= last][:limit]
        ]
        assert not any(self.tail.has_read(one) for one in found)
        assert self.tail.note_reading(found, is_whole=len(found) < limit)
        assert all(self.tail.has_read(one) for one in found)
        self.told += found

    @invariant()
    def nothing_is_told_twice_and_nothing_comes_below_the_floor(self):
        assert len(set(self.told)) == len(self.told)
        to_come = set(self.visible) - set(self.told) | {one for ids in self.open.values() for one in ids}
        assert all(one > self.tail.floor for one in to_come)

    def teardown(self):
        """Once all have ended, two looks tell everything and leave no gap."""
        for ids in self.open.values():
            self.visible += ids
        self.open = {}
        for _ in range(2):
            self.note_writers()
            self.look(limit=1_000)
        assert sorted(self.told) == sorted(self.visible)
        assert self.tail.gaps == []


TestTailing = Tailing.TestCase


def test_of_too_many_gaps_the_oldest_are_given_up(monkeypatch):
    monkeypatch.setattr(event_tail, "MAX_GAPS", 2)
    tail = EventTail(0)
    assert tail.note_reading([2, 4], is_whole=True)
    assert not tail.note_reading([6], is_whole=True)
    assert tail.gaps == [Gap(3, 3), Gap(5, 5)]
