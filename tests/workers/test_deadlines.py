"""Deadlines are met once, in order, and ``earliest`` is exact: another process decides by it."""

import asyncio
import math
import time
from collections.abc import Callable

import pytest

from perdure.workers.deadlines import MANY_GIVEN_UP, Deadline, Deadlines


def add(deadlines: Deadlines, seconds: float, call: Callable[[], object]) -> Deadline:
    return deadlines.add(time.monotonic() + seconds, lambda _about: call(), None)


async def test_each_is_called_once_in_the_order_of_time():
    called, done = [], asyncio.Event()
    deadlines = Deadlines()
    add(deadlines, 0.03, done.set)
    add(deadlines, 0.02, lambda: called.append("later"))
    add(deadlines, 0.01, lambda: called.append("sooner"))
    given_up = add(deadlines, 0.005, lambda: called.append("given up"))
    deadlines.remove(given_up)
    deadlines.remove(given_up)
    await asyncio.wait_for(done.wait(), 10)
    assert called == ["sooner", "later"]
    assert deadlines.earliest is None


async def test_the_earliest_is_told_exactly_whenever_it_changes():
    told = []
    deadlines = Deadlines()
    deadlines.on_change = told.append
    late, early = add(deadlines, 100, lambda: None), add(deadlines, 50, lambda: None)
    deadlines.remove(add(deadlines, 75, lambda: None))
    deadlines.remove(early)
    deadlines.remove(late)
    assert told == [late.at, early.at, late.at, None]


async def test_what_was_given_up_is_forgotten():
    deadlines = Deadlines()
    first = add(deadlines, 1, lambda: None)  # it stays, so that nothing after it is dropped from the front
    for _ in range(10 * MANY_GIVEN_UP):
        deadlines.remove(add(deadlines, 3600, lambda: None))
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
