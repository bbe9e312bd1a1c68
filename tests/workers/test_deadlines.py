"""Deadlines are met once, in order, and ``earliest`` is exact: another process decides by it."""

import asyncio
import math
import time
from collections.abc import Callable

import pytest

from perdure.workers.deadlines import MANY_GIVEN_UP, Deadline, Deadlines

SOMEBODY = object()


def add(deadlines: Deadlines, seconds: float, call: Callable[[], object]) -> Deadline:
    return deadlines.add(time.monotonic() + seconds, lambda _about: call(), {SOMEBODY})


async def test_each_is_called_once_in_the_order_of_time():
    called, done = [], asyncio.Event()
    deadlines = Deadlines()
    add(deadlines, 0.03, done.set)
    add(deadlines, 0.02, lambda: called.append("later"))
    add(deadlines, 0.01, lambda: called.append("sooner"))
    given_up = add(deadlines, 0.005, lambda: called.append("given up"))
    deadlines.remove(given_up, SOMEBODY)
    deadlines.remove(given_up, SOMEBODY)
    await asyncio.wait_for(done.wait(), 10)
    assert called == ["sooner", "later"]
    assert deadlines.earliest is None


async def test_those_who_share_one_are_told_each_but_who_gave_it_up():
    told, done, mistakes = [], asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: mistakes.append(context["exception"]))
    deadlines = Deadlines()

    def tell(about: int) -> None:
        told.append(about)
        if len(told) == 1:
            deadlines.remove(shared, next(one for one in (2, 3, 4) if one not in told))
            raise ZeroDivisionError

    shared = deadlines.add(time.monotonic() + 0.01, tell, {1, 2, 3, 4})
    add(deadlines, 0.02, done.set)
    deadlines.remove(shared, 1)
    deadlines.remove(shared, 1)
    assert deadlines.earliest == shared.at
    await asyncio.wait_for(done.wait(), 10)
    assert len(told) == len({*told} & {2, 3, 4}) == 2
    assert [type(one) for one in mistakes] == [ZeroDivisionError], "and the last of them was told all the same"
    assert (deadlines._heap, deadlines._given_up) == ([], 0)


async def test_the_earliest_is_told_exactly_whenever_it_changes():
    told = []
    deadlines = Deadlines()
    deadlines.on_change = told.append
    late, early = add(deadlines, 100, lambda: None), add(deadlines, 50, lambda: None)
    deadlines.remove(add(deadlines, 75, lambda: None), SOMEBODY)
    deadlines.remove(early, SOMEBODY)
    deadlines.remove(late, SOMEBODY)
    assert told == [late.at, early.at, late.at, None]


async def test_what_was_given_up_is_forgotten():
    deadlines = Deadlines()
    first = add(deadlines, 1, lambda: None)  # it stays, so that nothing after it is dropped from the front
    for _ in range(10 * MANY_GIVEN_UP):
        deadlines.remove(add(deadlines, 3600, lambda: None), SOMEBODY)
    assert len(deadlines._heap) <= 2 * MANY_GIVEN_UP
    assert deadlines.earliest == first.at


async def test_a_mistake_in_one_does_not_take_the_others(monkeypatch):
    done, mistakes = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: mistakes.append(context["exception"]))
    deadlines = Deadlines()
    add(deadlines, 0.001, lambda: 1 // 0)
    add(deadlines, 0.002, done.set)
    await asyncio.wait_for(done.wait(), 10)
    assert [type(one) for one in mistakes] == [ZeroDivisionError]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_one_that_is_over_already_is_met_at_the_next_turn(seconds):
    done = asyncio.Event()
    deadlines = Deadlines()
    add(deadlines, seconds, done.set)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 10)
    assert deadlines._timer_at == math.inf
